package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// control makes one control message.
func control(level, kind int32, body []byte) []byte {
	out := make([]byte, unix.CmsgSpace(len(body)))
	length := uint64(unix.CmsgLen(len(body)))
	if unix.SizeofPtr == 8 {
		binary.NativeEndian.PutUint64(out, length)
	} else {
		binary.NativeEndian.PutUint32(out, uint32(length))
	}
	header := unix.CmsgLen(0)
	binary.NativeEndian.PutUint32(out[header-8:], uint32(level))
	binary.NativeEndian.PutUint32(out[header-4:], uint32(kind))
	copy(out[header:], body)
	return out
}

func segmentSize(n int32) []byte {
	return control(unix.IPPROTO_UDP, unix.UDP_GRO, binary.NativeEndian.AppendUint32(nil, uint32(n)))
}

// script is a batchReader that gives prepared datagrams.
type script struct{ batches [][]ipv4.Message }

func (s *script) ReadBatch(messages []ipv4.Message, _ int) (int, error) {
	if len(s.batches) == 0 {
		return 0, net.ErrClosed
	}
	batch := s.batches[0]
	s.batches = s.batches[1:]
	for i, m := range batch {
		to := &messages[i]
		to.N = copy(to.Buffers[0], m.Buffers[0])
		to.NN = copy(to.OOB, m.OOB)
		to.Addr, to.Flags = m.Addr, m.Flags
	}
	return len(batch), nil
}

func super(payload, oob []byte) ipv4.Message {
	return ipv4.Message{Buffers: [][]byte{payload}, OOB: oob, Addr: &net.UDPAddr{Port: 7}}
}

func messages(n, size int) []ipv4.Message {
	all := make([]ipv4.Message, n)
	for i := range all {
		all[i] = ipv4.Message{Buffers: [][]byte{make([]byte, size)}, OOB: make([]byte, 128)}
	}
	return all
}

// readAll gives the payloads and control messages of all datagrams.
func readAll(t *testing.T, g *coalescedConn, width int) (payloads, controls []string) {
	t.Helper()
	for {
		all := messages(width, 1452)
		n, err := g.ReadBatch(all, 0)
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				t.Fatal(err)
			}
			return payloads, controls
		}
		for _, m := range all[:n] {
			payloads = append(payloads, string(m.Buffers[0][:m.N]))
			controls = append(controls, string(m.OOB[:m.NN]))
			if m.Addr.(*net.UDPAddr).Port != 7 {
				t.Errorf("sender %v", m.Addr)
			}
		}
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestDatagramsAreCutWhereTheKernelJoinedThem(t *testing.T) {
	tos := control(unix.IPPROTO_IP, unix.IP_TOS, []byte{2})
	truncated := super([]byte("lost"), nil)
	truncated.Flags = unix.MSG_CTRUNC
	cases := map[string]struct {
		in   []ipv4.Message
		want []string
	}{
		"three and a rest":       {[]ipv4.Message{super([]byte("aaabbbcccd"), segmentSize(3))}, []string{"aaa", "bbb", "ccc", "d"}},
		"exact":                  {[]ipv4.Message{super([]byte("aaabbb"), segmentSize(3))}, []string{"aaa", "bbb"}},
		"not joined":             {[]ipv4.Message{super([]byte("whole"), tos)}, []string{"whole"}},
		"size beyond the end":    {[]ipv4.Message{super([]byte("ab"), segmentSize(1400))}, []string{"ab"}},
		"empty":                  {[]ipv4.Message{super(nil, nil), super([]byte("x"), nil)}, []string{"", "x"}},
		"several":                {[]ipv4.Message{super([]byte("aabb"), segmentSize(2)), super([]byte("c"), nil)}, []string{"aa", "bb", "c"}},
		"size of zero":           {[]ipv4.Message{super([]byte("bad"), segmentSize(0)), super([]byte("ok"), nil)}, []string{"ok"}},
		"negative size":          {[]ipv4.Message{super([]byte("bad"), segmentSize(-5)), super([]byte("ok"), nil)}, []string{"ok"}},
		"size of two bytes":      {[]ipv4.Message{super([]byte("bad"), control(unix.IPPROTO_UDP, unix.UDP_GRO, []byte{1, 0})), super([]byte("ok"), nil)}, []string{"ok"}},
		"control messages short": {[]ipv4.Message{super([]byte("bad"), tos[:5]), super([]byte("ok"), nil)}, []string{"ok"}},
		"control messages cut":   {[]ipv4.Message{truncated, super([]byte("ok"), nil)}, []string{"ok"}},
		"longer than the buffer": {[]ipv4.Message{super(bytes.Repeat([]byte("j"), 9000), nil)}, []string{string(bytes.Repeat([]byte("j"), 1452))}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for width := 1; width <= 8; width++ {
				g := newCoalescedReader(nil, &script{[][]ipv4.Message{c.in}}, superBatch)
				if got, _ := readAll(t, g, width); !equal(got, c.want) {
					t.Errorf("%d at a time: %q, want %q", width, got, c.want)
				}
			}
		})
	}
}

func TestEveryPartKeepsTheOtherControlMessages(t *testing.T) {
	tos := control(unix.IPPROTO_IP, unix.IP_TOS, []byte{1})
	info := control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, make([]byte, 20))
	oob := append(append(append([]byte(nil), tos...), segmentSize(1)...), info...)
	want := string(tos) + string(info)
	_, controls := readAll(t, newCoalescedReader(nil, &script{[][]ipv4.Message{{super([]byte("ab"), oob)}}}, superBatch), 8)
	if !equal(controls, []string{want, want}) {
		t.Errorf("control messages %x, want %x twice", controls, want)
	}
}

func TestOnlyWholeControlMessagesAreCopied(t *testing.T) {
	tos := control(unix.IPPROTO_IP, unix.IP_TOS, []byte{1})
	info := control(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, make([]byte, 20))
	all := append(append([]byte(nil), tos...), info...)
	for room := range len(all) + 8 {
		want := 0
		switch {
		case room >= len(all):
			want = len(all)
		case room >= len(tos):
			want = len(tos)
		}
		if n := copyControl(make([]byte, room), all); n != want {
			t.Errorf("room for %d: %d bytes copied, want %d", room, n, want)
		}
	}
}

func TestTheKernelJoinsAndThePartsComeOutAsSent(t *testing.T) {
	for network, local := range map[string]net.IP{"udp4": net.IPv4(127, 0, 0, 1), "udp6": net.IPv6loopback, "udp": nil} {
		t.Run(network, func(t *testing.T) {
			s, err := openSocket(network, &net.UDPAddr{IP: local}, false, superBatch)
			if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
				t.Skipf("NOT TESTED: this machine has no %s loopback: %v", network, err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.conn.Close()
			if s.receive == nil {
				t.Skip("NOT TESTED: this kernel has no UDP_GRO")
			}
			checkJoined(t, s)
		})
	}
}

// checkJoined sends one large datagram to be segmented by the kernel and reads
// the parts through quic-go's door.
func checkJoined(t *testing.T, s *socket) {
	t.Helper()
	to := s.conn.LocalAddr().(*net.UDPAddr)
	if to.IP.IsUnspecified() {
		to = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: to.Port}
	}
	from, err := net.DialUDP("udp", nil, to)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	const part, count = 1200, 12
	payload := make([]byte, part*count+17)
	for i := range payload {
		payload[i] = byte(i / part)
	}
	segment := control(unix.IPPROTO_UDP, unix.UDP_SEGMENT, binary.NativeEndian.AppendUint16(nil, part))
	if _, _, err := from.WriteMsgUDP(payload, segment, nil); err != nil {
		t.Skipf("NOT TESTED: this kernel does not segment UDP: %v", err)
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for parts := 0; parts <= count; {
		all := messages(8, 1452)
		n, err := s.receive.ReadBatch(all, 0)
		if err != nil {
			t.Fatalf("after %d parts: %v", parts, err)
		}
		for _, m := range all[:n] {
			if want := min(part, len(payload)-len(got)); m.N != want {
				t.Errorf("part %d has %d bytes, want %d", parts, m.N, want)
			}
			got = append(got, m.Buffers[0][:m.N]...)
			if m.Addr.(*net.UDPAddr).Port != from.LocalAddr().(*net.UDPAddr).Port {
				t.Errorf("sender %v, want %v", m.Addr, from.LocalAddr())
			}
			parts++
		}
	}
	if !bytes.Equal(got, payload) {
		t.Error("the parts are not what was sent")
	}
	if stats := s.stats(); stats.Datagrams >= stats.Packets {
		t.Errorf("%d datagrams for %d packets: nothing was joined", stats.Datagrams, stats.Packets)
	}
}

func FuzzOpenSuper(f *testing.F) {
	f.Add([]byte("aaabbbc"), segmentSize(3))
	f.Add([]byte{}, []byte{})
	f.Add([]byte("x"), append(control(unix.IPPROTO_IP, unix.IP_TOS, []byte{1}), segmentSize(-1)...))
	f.Add([]byte("x"), bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, payload, oob []byte) {
		if len(payload) > superSize || len(oob) > superControl {
			return
		}
		m := super(payload, oob)
		m.N, m.NN = len(payload), len(oob)
		var scratch [superControl]byte
		p, err := openSuper(&m, scratch[:0])
		if err != nil {
			return
		}
		if len(p.control) > len(oob) {
			t.Fatalf("%d bytes of control messages from %d", len(p.control), len(oob))
		}
		copyControl(make([]byte, 128), p.control)
		var back []byte
		for range len(payload) + 1 {
			back = append(back, p.take()...)
			if p.done() {
				break
			}
		}
		if !p.done() || !bytes.Equal(back, payload) {
			t.Fatal("the parts are not the whole")
		}
	})
}
