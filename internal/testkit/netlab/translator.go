package netlab

import (
	"encoding/binary"
	"sync"
)

// translator is the network address translator at the client's side of the
// link. Until it forgets for the first time it changes nothing. Safe for
// concurrent use.
type translator struct {
	mu       sync.Mutex // guards all below
	active   bool
	source   [4]byte // what the server sees
	client   [4]byte
	next     uint16 // the next outer port
	outward  map[flow]uint16
	homeward map[flow]uint16
}

// flow is one port of one transport protocol.
type flow struct {
	protocol byte
	port     uint16
}

const (
	protocolTCP = 6
	protocolUDP = 17

	firstOuterPort = 10_000 // below what systems give to connections, so that no change is a change to the same
)

// firstMoved and lastMoved are the last bytes of the addresses that the client
// moves to: neither an end's nor one that the translator shows.
const firstMoved, lastMoved = 3, 99

func newTranslator(client [4]byte) *translator {
	return &translator{client: client, source: client, next: firstOuterPort}
}

// forget drops all mappings: what the client sends next comes from other ports,
// with readdress also from another address, and answers to the old ones go
// nowhere.
func (t *translator) forget(readdress bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active = true
	t.outward, t.homeward = map[flow]uint16{}, map[flow]uint16{}
	if readdress {
		if t.source[3]++; t.source[3] < 100 { // away from the two ends
			t.source[3] = 100
		}
	}
}

// nextClient is the address that the client moves to next.
func (t *translator) nextClient() [4]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.client
	if next[3]++; next[3] < firstMoved || next[3] > lastMoved {
		next[3] = firstMoved
	}
	return next
}

// moved says that the client has another address now. To a translator that has
// forgotten before, it is another machine: what the server sees changes too.
func (t *translator) moved(client [4]byte) {
	t.mu.Lock()
	active := t.active
	t.client = client
	if !active {
		t.source = client
	}
	t.mu.Unlock()
	if active {
		t.forget(true)
	}
}

// out rewrites the source of a packet on its way to the server.
func (t *translator) out(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, at, ok := ports(p)
	if !t.active || !ok {
		return
	}
	inner := flow{f, binary.BigEndian.Uint16(p[at:])}
	outer, known := t.outward[inner]
	if !known {
		if outer = t.next; t.next == 30_000 {
			t.next = firstOuterPort
		}
		t.next++
		t.outward[inner] = outer
		t.homeward[flow{f, outer}] = inner.port
	}
	rewrite(p, 12, t.source, at, outer)
}

// home rewrites the destination of a packet on its way to the client, and tells
// whether the packet finds there.
func (t *translator) home(p []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, at, ok := ports(p)
	if !t.active || !ok {
		return true
	}
	inner, known := t.homeward[flow{f, binary.BigEndian.Uint16(p[at+2:])}]
	if !known || [4]byte(p[16:20]) != t.source {
		return false
	}
	rewrite(p, 16, t.client, at+2, inner)
	return true
}

// ports finds the source port in a whole IPv4 packet with UDP or TCP; the
// destination port is behind it. Later fragments have none.
func ports(p []byte) (protocol byte, at int, ok bool) {
	if len(p) < 20 || p[0]>>4 != 4 {
		return 0, 0, false
	}
	at = int(p[0]&15) * 4
	protocol = p[9]
	need := map[byte]int{protocolTCP: 18, protocolUDP: 8}[protocol]
	if need == 0 || at < 20 || len(p) < at+need || binary.BigEndian.Uint16(p[6:])&0x1fff != 0 {
		return 0, 0, false
	}
	return protocol, at, true
}

// rewrite puts an address and a port in their places and mends the checksums
// (RFC 1624).
func rewrite(p []byte, addressAt int, address [4]byte, portAt int, port uint16) {
	transport := int(p[0]&15) * 4
	sumAt := transport + map[byte]int{protocolTCP: 16, protocolUDP: 6}[p[9]]
	summed := p[9] == protocolTCP || binary.BigEndian.Uint16(p[sumAt:]) != 0
	change := func(at int, to uint16, header bool) {
		from := binary.BigEndian.Uint16(p[at:])
		binary.BigEndian.PutUint16(p[at:], to)
		if header {
			mend(p[10:], from, to)
		}
		if summed {
			mend(p[sumAt:], from, to)
		}
	}
	change(addressAt, binary.BigEndian.Uint16(address[:2]), true)
	change(addressAt+2, binary.BigEndian.Uint16(address[2:]), true)
	change(portAt, port, false)
	if p[9] == protocolUDP && summed && binary.BigEndian.Uint16(p[sumAt:]) == 0 {
		binary.BigEndian.PutUint16(p[sumAt:], 0xffff) // zero would say that there is none
	}
}

// mend changes the Internet checksum at sum as the word it covers changes.
func mend(sum []byte, from, to uint16) {
	s := uint32(^binary.BigEndian.Uint16(sum)) + uint32(^from) + uint32(to)
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	binary.BigEndian.PutUint16(sum, ^uint16(s))
}
