package netlab

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
)

// Flow is what one connection has carried one way.
type Flow struct {
	Protocol   string `json:"protocol"` // udp or tcp
	Port       uint16 `json:"port"`     // its source port as it left the link
	ServerPort uint16 `json:"server_port"`
	Bytes      int64  `json:"bytes"` // of IP packets delivered
}

// flows counts bytes by connection. Safe for concurrent use.
type flows struct {
	mu    sync.Mutex
	bytes map[Flow]int64 // by the flow without its bytes
}

func (f *flows) add(p []byte) {
	protocol, at, ok := ports(p)
	if !ok {
		return
	}
	key := Flow{Protocol: "tcp", Port: binary.BigEndian.Uint16(p[at:]), ServerPort: binary.BigEndian.Uint16(p[at+2:])}
	if protocol == protocolUDP {
		key.Protocol = "udp"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bytes == nil {
		f.bytes = map[Flow]int64{}
	}
	f.bytes[key] += int64(len(p))
}

func (f *flows) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes = nil
}

// list gives the flows, the one with most bytes first.
func (f *flows) list() (all []Flow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, bytes := range f.bytes {
		key.Bytes = bytes
		all = append(all, key)
	}
	slices.SortFunc(all, func(a, b Flow) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return all
}
