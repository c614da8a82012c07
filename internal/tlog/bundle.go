package tlog

import (
	"encoding/binary"
	"fmt"
)

// appendBundle adds an entry to an entry bundle (C2SP tlog-tiles, "Log entries").
func appendBundle(bundle, entry []byte) []byte {
	bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
	return append(bundle, entry...)
}

// ParseBundle splits an entry bundle of exactly count entries. The entries share
// the memory of data.
func ParseBundle(data []byte, count int) ([][]byte, error) {
	if count < 0 || count > tileWidth {
		return nil, fmt.Errorf("reading an entry bundle: %d entries asked for, want 0 to %d", count, tileWidth)
	}
	entries := make([][]byte, 0, count)
	for len(entries) < count {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("reading an entry bundle: it ends within entry %d of %d", len(entries), count)
		}
		n := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:n:n])
		data = data[n:]
	}
	if len(data) != 0 {
		return nil, fmt.Errorf("reading an entry bundle: %d bytes after the last of %d entries", len(data), count)
	}
	return entries, nil
}

// cutBundle returns the beginning of a bundle that holds count entries, for a
// partial bundle read from a wider one.
func cutBundle(data []byte, count int) ([]byte, error) {
	at := 0
	for i := range count {
		if len(data)-at < 2 || len(data)-at-2 < int(binary.BigEndian.Uint16(data[at:])) {
			return nil, fmt.Errorf("reading an entry bundle: it ends within entry %d of %d", i, count)
		}
		at += 2 + int(binary.BigEndian.Uint16(data[at:]))
	}
	return data[:at], nil
}
