package wire

import (
	"encoding/binary"
	"errors"
)

// Frames of a session over TCP. Each begins with a kind (1 byte), a stream (4)
// and a value (4), big-endian. A stream begins with the first frame that names
// it; streams of the dialler are 1, 3, 5, ... in this order, those of the
// listener 2, 4, 6, ...
const (
	headerSize = 9

	frameData   = 1 // value bytes of the stream follow, 1 to maxData
	frameEnd    = 2 // the sender has written all
	frameReset  = 3 // the sender breaks its direction off; value is the code
	frameStop   = 4 // the sender wants no more of the other direction; value is the code
	frameWindow = 5 // the receiver may send value bytes more; stream 0 is the session
	framePlaces = 6 // the receiver may open value streams in all
	framePing   = 7 // to be answered with framePong and the same value
	framePong   = 8
	frameClose  = 9 // the session ends; value bytes follow: code (8), reason
)

const (
	// maxData is the most that one frame carries: an urgent one waits for no more.
	maxData   = 64 << 10
	maxReason = 256

	// firstPlaces lets a dialler open its first stream at once.
	firstPlaces = 1
)

// firstWindow is what a side may send on a stream before it was told that it may
// more, in bytes; in a session one and a half times that. A listener receives
// recordings, a dialler answers.
func firstWindow(toDialler bool) uint64 {
	if toDialler {
		return diallerWindow
	}
	return listenerWindow
}

func highestWindow(toDialler bool) uint64 {
	if toDialler {
		return diallerMaxWindow
	}
	return listenerMaxWindow
}

var errProtocol = errors.New("the peer broke the rules of sessions over TCP")

// header is the beginning of a frame.
type header [headerSize]byte

func (h header) kind() byte     { return h[0] }
func (h header) stream() uint32 { return binary.BigEndian.Uint32(h[1:]) }
func (h header) value() uint32  { return binary.BigEndian.Uint32(h[5:]) }

func appendHeader(b []byte, kind byte, stream, value uint32) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, stream)
	return binary.BigEndian.AppendUint32(b, value)
}
