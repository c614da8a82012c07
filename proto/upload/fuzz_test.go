package upload

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// checkFrames reads frames until the first error, which must be one of the
// three promised ones, and sends each message through writing and reading.
func checkFrames(t *testing.T, stream []byte) {
	var b, again Buffer
	r := bytes.NewReader(stream)
	for {
		m, err := ReadMessage(r, &b)
		if err != nil {
			var refusal *Error
			if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &refusal) {
				t.Fatalf("error of no promised kind: %v", err)
			}
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("a message was handed out that does not validate: %v", err)
		}
		var out bytes.Buffer
		if err := WriteMessage(&out, m); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := ReadMessage(&out, &again)
		if err != nil || !same(m, back) {
			t.Fatalf("after writing and reading: %v, %v; want %v", back, err, m)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	for _, folder := range []string{"good", "bad"} {
		for _, v := range vectors(f, folder) {
			f.Add(v.frame)
		}
	}
	f.Fuzz(checkFrames)
}

// FuzzPayload frames the bytes correctly for every kind, so that the search
// goes straight into each message's decoder and validation.
func FuzzPayload(f *testing.F) {
	for _, m := range samples() {
		f.Add(uint8(m.Kind()), frameOf(f, m)[HeaderSize:])
	}
	f.Fuzz(func(t *testing.T, kind uint8, payload []byte) {
		if len(payload) > Kind(kind).MaxPayload() {
			return
		}
		n := len(payload)
		frame := append([]byte{kind, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, payload...)
		checkFrames(t, frame)
	})
}

// FuzzFields writes hostile field values: what WriteMessage lets through,
// ReadMessage must hand out unchanged.
func FuzzFields(f *testing.F) {
	f.Add("north", "dock-1", "a sentence", []byte{1, 2, 3}, uint64(7), int64(8))
	f.Add("../x", "\x00", "line\nbreak", []byte{}, uint64(1)<<63, int64(-1))
	f.Fuzz(func(t *testing.T, a, b, c string, d []byte, n uint64, s int64) {
		for _, m := range []Message{
			&Hello{Protocol: uint32(n), AgentVersion: c, Agency: a, Dock: b},
			&Welcome{Agency: a, ServerVersion: b, AgencyPublicKey: d, LogOrigin: c, LogPublicKey: d, ReceiptKeyId: b, ReceiptPublicKey: d, ServerTimeUs: s},
			&Status{AtUs: s, Bays: []*Bay{{Port: a, State: b, Message: c, BatteryPercent: int32(s)}}},
			&Offer{Manifest: d, WrappedKey: d, Header: d, Leaves: d},
			&ReleaseAck{EvidenceId: a}, &Accept{ResumeSegment: n}, &Ack{DurableSegments: n},
			&Data{Index: n, Sealed: d}, &Error{Code: Code(a), Message: c, Segment: n},
		} {
			var out bytes.Buffer
			if err := WriteMessage(&out, m); err != nil {
				if out.Len() > 0 {
					t.Fatalf("a refused %v left %d bytes on the stream", m.Kind(), out.Len())
				}
				continue
			}
			back, err := ReadMessage(&out, new(Buffer))
			if err != nil || !same(m, back) {
				t.Fatalf("wrote %v, read %v, %v", m, back, err)
			}
		}
	})
}
