// Package netlab makes two private network namespaces, a client's and a
// server's, joined by an impaired link: a rate with a drop-tail queue, delay,
// jitter, loss one by one or in bursts, outages, a firewall that drops UDP, and
// an address translator that forgets. Benchmarks and failure tests run the real
// programs in it.
//
// Whole IP packets pass between two TUN devices, so TCP, QUIC and anything else
// see the same path, and the congestion control of each runs end to end. Loss
// and jitter repeat with the seed, for the same sequence of packets. Nothing is
// installed and nothing stays behind: the namespaces end with [Lab.Close] and
// the commands started in them.
//
// The order of what befalls a packet: the translator (leaving the client),
// outage, firewall, queue and rate, loss, delay and jitter; packets keep their
// order.
//
// It does not measure costs: it runs in user space and competes with the
// programs under test for the processor. It speaks IPv4 only, needs Linux,
// root and /dev/net/tun, and translates UDP and TCP only. For tests and
// benchmarks only.
package netlab
