package timeline

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Index is what the tables of a recording say.
type Index struct {
	Tables   Range         // the moov box, header included
	Duration time.Duration // of the longest track
	size     uint64        // of the recording
	tracks   []track
}

// Range are bytes From..To-1.
type Range struct{ From, To uint64 }

// Span is where a span of time lies.
type Span struct {
	Bytes    Range         // of samples
	From, To time.Duration // what is really covered: from a key frame, until the last picture ends
}

// track is one track's tables, checked against each other.
type track struct {
	scale                  uint64 // units a second
	video                  bool
	times, keys            table // stts, stss
	allKeys                bool  // there is no stss: each sample is one
	chunks, sizes, chunked table
	wide                   bool   // co64
	uniform                uint32 // size of all samples, 0: sizes
	samples                int
}

// Read reads the tables of a recording of size bytes. What does not hold together
// is ErrForm; an error of r is returned as it is.
func Read(r io.ReaderAt, size uint64) (*Index, error) {
	at, moov, err := top(r, size, "moov")
	if err != nil {
		return nil, err
	}
	if moov.to-moov.from > MaxTables {
		return nil, fmt.Errorf("its tables have %d bytes, at most %d are read: %w", moov.to-moov.from, MaxTables, ErrForm)
	}
	data := make([]byte, moov.to-moov.from)
	if n, err := r.ReadAt(data, int64(moov.from)); n < len(data) {
		return nil, fmt.Errorf("reading its tables: %w", err)
	}
	x := &Index{Tables: Range{at, moov.to}, size: size}
	all, err := children(data)
	if err != nil {
		return nil, err
	}
	pictures := false
	for _, b := range all {
		if b.kind != "trak" {
			continue
		}
		if len(x.tracks) == maxTracks {
			return nil, fmt.Errorf("more than %d tracks: %w", maxTracks, ErrForm)
		}
		t, err := readTrack(data[b.from:b.to])
		if err != nil {
			return nil, err
		}
		if t.samples == 0 {
			continue
		}
		pictures = pictures || t.video
		x.tracks = append(x.tracks, *t)
		x.Duration = max(x.Duration, t.duration())
	}
	if !pictures {
		return nil, fmt.Errorf("it has no track of pictures: %w", ErrForm)
	}
	return x, nil
}

func readTrack(data []byte) (*track, error) {
	t := &track{}
	header, err := inside(data, "mdia", "mdhd")
	if err != nil {
		return nil, err
	}
	at := 12
	if len(header) > 0 && header[0] == 1 { // version 1 has wide times (section 8.4.2)
		at = 20
	}
	if len(header) < at+4 {
		return nil, fmt.Errorf("a track has no header: %w", ErrForm)
	}
	if t.scale = uint64(binary.BigEndian.Uint32(header[at:])); t.scale == 0 {
		return nil, fmt.Errorf("a track has no time scale: %w", ErrForm)
	}
	handler, err := inside(data, "mdia", "hdlr")
	if err != nil {
		return nil, err
	}
	t.video = len(handler) >= 12 && string(handler[8:12]) == "vide"
	tables, err := inside(data, "mdia", "minf", "stbl")
	if err != nil {
		return nil, err
	}
	return t, t.readTables(tables)
}

func (t *track) readTables(stbl []byte) error {
	found := map[string][]byte{}
	all, err := children(stbl)
	if err != nil {
		return err
	}
	for _, b := range all {
		if found[b.kind] == nil {
			found[b.kind] = stbl[b.from:b.to]
		}
	}
	if t.times, err = rows("stts", found["stts"], 4, 8); err != nil {
		return err
	}
	if t.chunked, err = rows("stsc", found["stsc"], 4, 12); err != nil {
		return err
	}
	if t.allKeys = found["stss"] == nil; !t.allKeys {
		if t.keys, err = rows("stss", found["stss"], 4, 4); err != nil {
			return err
		}
	}
	if t.wide = found["stco"] == nil; t.wide {
		t.chunks, err = rows("co64", found["co64"], 4, 8)
	} else {
		t.chunks, err = rows("stco", found["stco"], 4, 4)
	}
	if err != nil {
		return err
	}
	sizes := found["stsz"]
	if len(sizes) < 12 {
		return fmt.Errorf("table stsz is missing or cut off: %w", ErrForm)
	}
	count := binary.BigEndian.Uint32(sizes[8:])
	if count > maxSamples {
		return fmt.Errorf("a track of %d samples, at most %d are read: %w", count, maxSamples, ErrForm)
	}
	t.samples = int(count)
	if t.uniform = binary.BigEndian.Uint32(sizes[4:]); t.uniform == 0 {
		if t.sizes, err = rows("stsz", sizes, 8, 4); err != nil {
			return err
		}
	}
	timed := uint64(0)
	for i := range t.times.count {
		timed += uint64(t.times.at(i, 0))
	}
	if timed < uint64(t.samples) {
		return fmt.Errorf("a track has times for %d of %d samples: %w", timed, t.samples, ErrForm)
	}
	return nil
}

// begin is when a sample begins, in units; samples count from 0, and the one behind
// the last begins at the end.
func (t *track) begin(sample int) uint64 {
	at, left := uint64(0), uint64(sample)
	for i := range t.times.count {
		n := min(left, uint64(t.times.at(i, 0)))
		at += n * uint64(t.times.at(i, 4)) // below 2^24 * 2^32
		if left -= n; left == 0 {
			break
		}
	}
	return at
}

// behind is the first sample that begins at or after a time in units.
func (t *track) behind(at uint64) int {
	sample, now := uint64(0), uint64(0)
	for i := range t.times.count {
		count, delta := min(uint64(t.times.at(i, 0)), uint64(t.samples)), uint64(t.times.at(i, 4))
		if delta > 0 && now+count*delta >= at {
			sample += (at - now + delta - 1) / delta
			return int(min(sample, uint64(t.samples)))
		}
		if sample += count; sample >= uint64(t.samples) {
			break
		}
		now += count * delta
	}
	return t.samples
}

// key is the last key frame at or before a sample.
func (t *track) key(sample int) int {
	if t.allKeys {
		return sample
	}
	last := 0
	for i := range t.keys.count {
		k := int(t.keys.at(i, 0)) - 1
		if k > sample {
			break
		}
		last = max(last, k)
	}
	return last
}

// units is a time in units of the track, rounded down.
func (t *track) units(d time.Duration) uint64 {
	return uint64(d/time.Second)*t.scale + uint64(d%time.Second)*t.scale/uint64(time.Second)
}

// maxTime is the longest time that a recording is believed to have.
const maxTime = 1000 * time.Hour

// time is the reverse of units.
func (t *track) time(units uint64) time.Duration {
	seconds := units / t.scale
	if seconds >= uint64(maxTime/time.Second) {
		return maxTime
	}
	return time.Duration(seconds)*time.Second + time.Duration(units%t.scale*uint64(time.Second)/t.scale)
}

func (t *track) duration() time.Duration { return t.time(t.begin(t.samples)) }

// bytes is what holds the samples first..behind-1.
func (t *track) bytes(first, behind int, size uint64) (Range, error) {
	r := Range{From: size}
	err := t.each(behind, size, func(sample int, at Range) {
		if sample >= first {
			r.From, r.To = min(r.From, at.From), max(r.To, at.To)
		}
	})
	if err == nil && r.From >= r.To {
		err = fmt.Errorf("the samples from %d on are empty: %w", first+1, ErrForm)
	}
	return r, err
}

// each calls found with the place of every sample before behind.
func (t *track) each(behind int, size uint64, found func(sample int, at Range)) error {
	sample, entry := 0, 0
	for chunk := range t.chunks.count {
		for entry+1 < t.chunked.count && uint64(t.chunked.at(entry+1, 0)) <= uint64(chunk)+1 {
			entry++
		}
		if entry >= t.chunked.count || sample >= behind {
			break
		}
		offset := uint64(t.chunks.at(chunk, 0))
		if t.wide {
			offset = offset<<32 | uint64(t.chunks.at(chunk, 4))
		}
		for range t.chunked.at(entry, 4) {
			if sample >= behind {
				break
			}
			length := uint64(t.uniform)
			if length == 0 {
				length = uint64(t.sizes.at(sample, 0))
			}
			if offset > size || length > size-offset {
				return fmt.Errorf("sample %d lies at byte %d, behind the end: %w", sample+1, offset, ErrForm)
			}
			found(sample, Range{offset, offset + length})
			offset += length
			sample++
		}
	}
	if sample < behind {
		return fmt.Errorf("the tables place %d of %d samples: %w", sample, behind, ErrForm)
	}
	return nil
}

// Span says where the time from..to-1 lies. A span that is empty or begins behind
// the end is ErrForm; what reaches beyond the end is cut there.
func (x *Index) Span(from, to time.Duration) (*Span, error) {
	if from < 0 || from >= to || from >= x.Duration {
		return nil, fmt.Errorf("from %v to %v of a recording of %v: there is no such time in it: %w", from, to, x.Duration, ErrForm)
	}
	s := &Span{Bytes: Range{From: x.size}, From: from, To: min(to, x.Duration)}
	// Pictures first: all other tracks go from where the earliest key frame begins.
	until := time.Duration(0)
	for pass := range 2 {
		for i := range x.tracks {
			t := &x.tracks[i]
			if t.video != (pass == 0) || t.duration() <= s.From {
				continue
			}
			first := max(t.behind(t.units(s.From)+1)-1, 0)
			if t.video {
				first = t.key(min(first, t.samples-1))
			}
			behind := max(t.behind(t.units(s.To)), first+1)
			r, err := t.bytes(first, min(behind, t.samples), x.size)
			if err != nil {
				return nil, err
			}
			s.Bytes.From, s.Bytes.To = min(s.Bytes.From, r.From), max(s.Bytes.To, r.To)
			if t.video {
				s.From, until = min(s.From, t.time(t.begin(first))), max(until, t.time(t.begin(min(behind, t.samples))))
			}
		}
	}
	if until == 0 {
		return nil, fmt.Errorf("there are no pictures from %v on: %w", from, ErrForm)
	}
	s.To = until
	return s, nil
}
