// Command netlab runs a client and a server in two private network namespaces
// that are joined by an impaired link (package internal/testkit/netlab). Linux
// and root only.
//
//	netlab -preset wan-loss -server './ingest run' -client './dock push f'
//	netlab -rate 50mbit -rtt 20ms -drop-udp 10s+60s -rebind 5s,10s -client ...
//
// Both commands run under sh -c with NETLAB_SERVER_IP and NETLAB_CLIENT_IP set;
// the server must listen on that address or on all. netlab ends when the
// client's command ends, with that command's exit status, stops the server with
// SIGTERM, and prints one line of statistics as JSON on standard error, or to
// -stats. For goodput, divide the payload by the client's own time.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	// The link's threads block in system calls and must not hold up one another.
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "netlab:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}
