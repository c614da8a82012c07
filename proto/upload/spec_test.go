package upload

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestKindsAndLimitsAreThoseOfTheSpecification(t *testing.T) {
	text, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (\d+) \| (\w+) \| \w+ \| \w+ \| ([\d ]+) \|`)
	known := map[Kind]bool{}
	for _, cells := range row.FindAllStringSubmatch(string(text), -1) {
		number, err := strconv.ParseUint(cells[1], 10, 8)
		if err != nil {
			t.Fatal(err)
		}
		limit, err := strconv.Atoi(strings.ReplaceAll(cells[3], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		kind := Kind(number)
		known[kind] = true
		if kind.String() != cells[2] || kind.MaxPayload() != limit {
			t.Errorf("kind %d is %v with at most %d bytes; SPEC.md says %s with %d", number, kind, kind.MaxPayload(), cells[2], limit)
		}
	}
	for number := range 256 {
		if kind := Kind(number); (kind.MaxPayload() > 0) != known[kind] {
			t.Errorf("%v is known to only one of code and SPEC.md", kind)
		}
	}
}

func TestEveryCodeIsInTheSpecification(t *testing.T) {
	text, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []Code{
		CodeRetryLater, CodeFull, CodeDigestMismatch, CodeUnknownDevice, CodeWrongAgency, CodeBadManifest,
		CodeBadFrame, CodeVersion, CodeQuarantined, CodeConflict, CodeInternal,
	} {
		if !strings.Contains(string(text), "\n| "+string(code)+" |") {
			t.Errorf("%s has no row in SPEC.md", code)
		}
	}
}

// The largest messages that the field limits allow fit into their frames.
func TestFieldLimitsFitTheFrames(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	bays := make([]*Bay, MaxBays)
	const most = 1<<64 - 1
	for i := range bays {
		bays[i] = &Bay{
			Port: text(MaxText), CameraSerial: text(MaxText), CameraModel: text(MaxText), State: text(32), Message: text(MaxMessage),
			RecordingsTotal: most, RecordingsDone: most, BytesTotal: most, BytesDone: most, BytesPerSecond: most, BatteryPercent: 100,
		}
	}
	for _, m := range []Message{
		&Welcome{
			Protocol: 1<<32 - 1, ServerVersion: text(MaxText), Agency: text(40), AgencyPublicKey: make([]byte, MaxPublicKey), LogOrigin: text(MaxOrigin),
			LogPublicKey: make([]byte, Ed25519KeySize), ReceiptKeyId: text(MaxKeyID), ReceiptPublicKey: make([]byte, Ed25519KeySize), ServerTimeUs: latest,
		},
		&Inventory{Envelope: make([]byte, MaxInventory)},
		&Status{AtUs: latest, Bays: bays, SpoolBytes: most, SpoolQuota: most, RecordingsWaiting: most},
		&Release{Envelope: make([]byte, MaxStatement)},
		&Offer{Manifest: make([]byte, MaxStatement), WrappedKey: make([]byte, MaxWrappedKey), Header: make([]byte, MaxSealHeader), Leaves: make([]byte, MaxSegments*HashSize)},
		&Data{Index: MaxSegments - 1, Sealed: make([]byte, MaxSegment)},
		&Receipt{Envelope: make([]byte, MaxStatement)},
	} {
		if n := len(frameOf(t, m)); n > MaxFrame || n > HeaderSize+m.Kind().MaxPayload() {
			t.Errorf("the largest %v has %d bytes", m.Kind(), n)
		}
	}
}
