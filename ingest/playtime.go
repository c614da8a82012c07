package main

import (
	"time"

	"github.com/sealdock/sealdock/ingest/internal/timeline"
)

// playTime is a time in a recording, as timeline.ParseTime reads it.
type playTime time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *playTime) UnmarshalText(text []byte) error {
	d, err := timeline.ParseTime(string(text))
	*p = playTime(d)
	return err
}
