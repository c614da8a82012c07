package timeline

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

const (
	maxCopied = 1 << 20 // pictures of a clip that are compared: 4 hours at 60 a second
	keysBack  = 16      // key frames before the wanted time that are tried
)

// Copied holds that every picture of a clip is, byte for byte and in its place, one
// of the recording x that original reads, from a key frame at or before a time on,
// and says which span of the recording that is. What is not so is ErrForm.
func (x *Index) Copied(original io.ReaderAt, clip *Index, r io.ReaderAt, at time.Duration) (from, to time.Duration, err error) {
	whole, part := x.pictures(), clip.pictures()
	if part.samples > maxCopied || part.samples > whole.samples {
		return 0, 0, fmt.Errorf("a clip of %d pictures of a recording of %d: %w", part.samples, whole.samples, ErrForm)
	}
	places, err := part.places(0, part.samples, clip.size)
	if err != nil {
		return 0, 0, err
	}
	first := whole.key(min(max(whole.behind(whole.units(at)+1)-1, 0), whole.samples-1))
	for range keysBack {
		if first+part.samples <= whole.samples {
			wanted, err := whole.places(first, first+part.samples, x.size)
			if err != nil {
				return 0, 0, err
			}
			same, err := equal(original, wanted, r, places)
			if err != nil {
				return 0, 0, err
			}
			if same {
				return whole.time(whole.begin(first)), whole.time(whole.begin(first + part.samples)), nil
			}
		}
		if first == 0 {
			break
		}
		first = whole.key(first - 1)
	}
	return 0, 0, fmt.Errorf("the pictures of the clip are not those of the recording at %v: %w", at, ErrForm)
}

// pictures is the first track of pictures; Read takes no recording without one.
func (x *Index) pictures() *track {
	for i := range x.tracks {
		if x.tracks[i].video {
			return &x.tracks[i]
		}
	}
	return &track{scale: 1}
}

// places is where each of the samples first..behind-1 lies.
func (t *track) places(first, behind int, size uint64) ([]Range, error) {
	all := make([]Range, 0, behind-first)
	err := t.each(behind, size, func(sample int, at Range) {
		if sample >= first {
			all = append(all, at)
		}
	})
	return all, err
}

// equal compares what lies in two lists of places of one length.
func equal(a io.ReaderAt, from []Range, b io.ReaderAt, with []Range) (bool, error) {
	for i := range from {
		if from[i].To-from[i].From != with[i].To-with[i].From {
			return false, nil
		}
	}
	const piece = 256 << 10
	one, other := make([]byte, piece), make([]byte, piece)
	for i := range from {
		for done, length := uint64(0), from[i].To-from[i].From; done < length; {
			n := min(piece, length-done)
			if got, err := a.ReadAt(one[:n], int64(from[i].From+done)); got < int(n) {
				return false, fmt.Errorf("reading the recording: %w", err)
			}
			if got, err := b.ReadAt(other[:n], int64(with[i].From+done)); got < int(n) {
				return false, fmt.Errorf("reading the clip: %w", err)
			}
			if !bytes.Equal(one[:n], other[:n]) {
				return false, nil
			}
			done += n
		}
	}
	return true, nil
}
