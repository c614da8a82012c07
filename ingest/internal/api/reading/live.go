package reading

import "time"

// LiveSource tells what docks report at this moment. receive.Live fills it
// through the server's wiring.
type LiveSource interface {
	// Snapshot returns the present state. The caller may keep and change it.
	Snapshot() Live
	// Changed returns a channel that is closed at the next change after the
	// call. Take it before Snapshot in order to miss nothing.
	Changed() <-chan struct{}
}

// Live is what all docks report at one moment.
type Live struct {
	Docks     []LiveDock
	Transfers []Transfer
}

// LiveDock is one dock agent with its bays.
type LiveDock struct {
	Agency, Station, Dock string
	Connected             bool
	LastSeen              time.Time // of the last message; zero when never
	Address               string    // network address, as seen by the server
	AgentVersion          string
	Bays                  []Bay
	SpoolBytes            uint64 // sealed bytes that wait at the dock
	SpoolQuota            uint64 // 0: not reported
	RecordingsWaiting     uint64
}

// Bay is one physical port of a dock and what goes on in it. Texts come from
// the dock and from cameras and are shown as text only.
type Bay struct {
	Port            string // USB port path
	CameraSerial    string // empty: no camera
	CameraModel     string
	State           string // a word of proto/upload, bay.go; others are shown as they are
	Message         string // for people
	RecordingsTotal uint64
	RecordingsDone  uint64
	BytesTotal      uint64
	BytesDone       uint64
	BytesPerSecond  uint64
	Battery         int // percent; -1: unknown
}

// Transfer is one recording on its way from a dock to the store.
type Transfer struct {
	Agency, Dock, Evidence string
	Camera, Path           string
	Length                 uint64 // bytes
	Durable                uint64 // bytes verified and durable in the store
	BytesPerSecond         uint64
	Stage                  string // "receiving", or "proving" while it is read back
	StartedAt              time.Time
}
