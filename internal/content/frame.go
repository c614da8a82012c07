package content

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// frame passes exactly one zstd frame on: its header was found to be one that is
// taken, and its blocks are followed by their headers (RFC 8878 section 3.1.1).
type frame struct {
	from     *bufio.Reader
	left     int  // bytes of what is being passed on: header, block or checksum
	last     bool // it is the last block
	checksum bool // one follows the last block
	failed   error
}

// openFrame reads the header. The error is ErrContent, or that of from.
func openFrame(from io.Reader, length uint64) (*frame, error) {
	f := &frame{from: bufio.NewReader(from)}
	start, err := f.from.Peek(zstd.HeaderMaxSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	var h zstd.Header
	if err := h.Decode(start); err != nil {
		return nil, fmt.Errorf("%w: it does not begin with a whole zstd frame: %w", ErrContent, err)
	}
	switch {
	case h.Skippable:
		return nil, fmt.Errorf("%w: it begins with a zstd frame to be skipped", ErrContent)
	case h.DictionaryID != 0:
		return nil, fmt.Errorf("%w: its zstd frame asks for dictionary %d, none is taken", ErrContent, h.DictionaryID)
	case !h.HasFCS || h.FrameContentSize != length:
		return nil, fmt.Errorf("%w: its zstd frame says that it holds %d bytes (told: %v), the manifest says %d", ErrContent, h.FrameContentSize, h.HasFCS, length)
	case h.WindowSize > MaxWindow || h.SingleSegment && h.FrameContentSize > MaxWindow:
		return nil, fmt.Errorf("%w: its zstd frame asks for a window of %d bytes, at most %d are taken", ErrContent, max(h.WindowSize, h.FrameContentSize), MaxWindow)
	}
	f.left, f.checksum = h.HeaderSize, h.HasCheckSum
	return f, nil
}

// Read implements io.Reader over the frame.
func (f *frame) Read(p []byte) (int, error) {
	if f.failed == nil && f.left == 0 {
		f.failed = f.next()
	}
	if f.failed != nil {
		return 0, f.failed
	}
	n, err := f.from.Read(p[:min(len(p), f.left)])
	f.left -= n
	if f.failed = err; err == io.EOF {
		f.failed = errCut
	}
	return n, f.failed
}

// errCut: the frame ends in the middle.
var errCut = errors.New("its zstd frame is cut off")

// next finds what follows: a block, the checksum, or io.EOF.
func (f *frame) next() error {
	if f.last {
		if !f.checksum {
			return io.EOF
		}
		f.left, f.checksum = 4, false
		return nil
	}
	start, err := f.from.Peek(3)
	if err == io.EOF {
		return errCut
	}
	if err != nil {
		return err
	}
	h := uint32(start[0]) | uint32(start[1])<<8 | uint32(start[2])<<16
	size := int(h >> 3)
	if h>>1&3 == 1 { // a run of one byte
		size = 1
	}
	f.left, f.last = 3+size, h&1 == 1
	return nil
}

// end makes sure that nothing is behind the frame.
func (f *frame) end() error {
	if _, err := f.Read(make([]byte, 1)); err != io.EOF {
		return f.explain(errors.New("its zstd frame ends early"))
	}
	switch _, err := f.from.ReadByte(); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("%w: something follows its zstd frame", ErrContent)
	default:
		return err
	}
}

// explain tells what ended decoding: the reader's own error, or what is wrong
// with the frame.
func (f *frame) explain(err error) error {
	if f.failed != nil && f.failed != io.EOF && f.failed != errCut {
		return f.failed
	}
	if f.failed == errCut {
		err = errCut
	}
	return fmt.Errorf("%w: %w", ErrContent, err)
}
