package readingtest

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Ahead is how far the camera's clock of WrongClock is ahead.
const Ahead = time.Hour + 17*time.Minute

// WrongClock makes a manifest that of a camera whose clock was an hour and 17
// minutes ahead at its first docking, and whose dock was compared with the
// server. The recording was confirmed by the camera and has a number;
// hashes came with it.
func WrongClock(m *evidence.Manifest) {
	at := m.Clocks.DockStart
	offset := func(at time.Time, ahead, uncertainty time.Duration, exchanges int) *evidence.Offset {
		return &evidence.Offset{At: at, Ahead: ahead.Microseconds(), Uncertainty: uncertainty.Microseconds(), Exchanges: exchanges}
	}
	m.Clocks.Camera = offset(at, Ahead, 40*time.Millisecond, 8)
	m.Clocks.Drift = &evidence.Drift{PPM: -23.1, Uncertainty: 4}
	m.Clocks.Dock = offset(at, -830*time.Millisecond, 12*time.Millisecond, 5)
	m.Camera.Access, m.Camera.Key, m.Camera.KeyStanding = evidence.AccessExtension, make([]byte, 32), evidence.KeyCertified
	sum := m.SHA256
	m.Confirmed, m.Recording.Signed = evidence.ConfirmedByCamera, &sum
	m.Recording.Sequence, m.Recording.SequenceSource = 1284, evidence.SequenceFromCamera
	m.Recording.Hashes = []evidence.SourceHash{
		{Algorithm: "xxh64", Value: "0ea03b369a463d9d", Origin: "ascmhl/0001_CLIP.mhl", Result: evidence.HashVerified},
		{Algorithm: "md5", Value: "9e107d9d372bb6826bd81d3542a419d6", Origin: "ascmhl/0001_CLIP.mhl", Result: evidence.HashUnchecked},
	}
}

// SetClock is WrongClock for a camera whose clock was set a week ago and has
// gained 1.4 seconds since.
func SetClock(m *evidence.Manifest) {
	WrongClock(m)
	m.Clocks.Camera.Ahead = 1_403_000
	m.Clocks.Set = &evidence.Offset{At: m.Clocks.Camera.At.Add(-7 * 24 * time.Hour), Ahead: 3000, Uncertainty: 35_000, Exchanges: 6}
}
