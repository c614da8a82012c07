package upload

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
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
		CodeBadFrame, CodeVersion, CodeQuarantined, CodeConflict, CodeNotFound, CodeInternal,
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
		&Answer{Policy: largestPolicy()},
		&FirmwareBlock{Offset: most, Data: make([]byte, MaxBlock)},
	} {
		if n := len(frameOf(t, m)); n > MaxFrame || n > HeaderSize+m.Kind().MaxPayload() {
			t.Errorf("the largest %v has %d bytes", m.Kind(), n)
		}
	}
}

func largestPolicy() *PolicyAnswer {
	p := &PolicyAnswer{Digest: make([]byte, HashSize), Authority: make([]byte, Ed25519KeySize), Trust: make([]byte, MaxTrust), KeepDays: MaxKeepDays}
	for range MaxPolicies {
		p.Settings = append(p.Settings, make([]byte, MaxPolicy))
		p.Firmware = append(p.Firmware, &FirmwareOffer{Statement: make([]byte, MaxPolicy), Maker: make([]byte, Ed25519KeySize), WindowFrom: 1439, WindowTo: 1439})
	}
	return p
}

func TestAsksAndAnswersOutOfBoundsAreRefused(t *testing.T) {
	camera := func(spoil func(*CameraAnswer)) Message {
		a := &CameraAnswer{Serial: "SN 1", Standing: StandingApproved}
		spoil(a)
		return &Answer{Camera: a}
	}
	policy := func(spoil func(*PolicyAnswer)) Message {
		p := largestPolicy()
		spoil(p)
		return &Answer{Policy: p}
	}
	if err := policy(func(*PolicyAnswer) {}).Validate(); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]Message{
		"no question": &Ask{}, "two questions": &Ask{Clock: &ClockQuestion{}, Policy: &PolicyQuestion{}}, "no answer": &Answer{},
		"clock": &Ask{Clock: &ClockQuestion{DockUs: -1}}, "serial": &Ask{Camera: &CameraQuestion{}}, "key": &Ask{Camera: &CameraQuestion{Serial: "x", Key: []byte{1}}},
		"have": &Ask{Policy: &PolicyQuestion{Have: []byte{1}}}, "sent": &Answer{Clock: &ClockAnswer{SentUs: latest + 1}},
		"standing": camera(func(a *CameraAnswer) { a.Standing = "" }), "officer": camera(func(a *CameraAnswer) { a.Officer = "a\nb" }), "certificate": camera(func(a *CameraAnswer) { a.Certificate = make([]byte, MaxPolicy+1) }),
		"digest": policy(func(p *PolicyAnswer) { p.Digest = nil }), "days": policy(func(p *PolicyAnswer) { p.KeepDays = MaxKeepDays + 1 }), "settings": policy(func(p *PolicyAnswer) { p.Settings[3] = nil }),
		"too many": policy(func(p *PolicyAnswer) { p.Settings = append(p.Settings, []byte{1}) }), "window": policy(func(p *PolicyAnswer) { p.Firmware[0].WindowTo = 1440 }), "maker": policy(func(p *PolicyAnswer) { p.Firmware[0].Maker = []byte{1} }),
		"hash": &FirmwareFetch{Sha256: []byte{1}}, "empty block": &FirmwareBlock{}, "long block": &FirmwareBlock{Data: make([]byte, MaxBlock+1)},
	} {
		if m.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestAnAnswerThatWouldSwellInMemoryIsRefusedBeforeItIsDecoded(t *testing.T) {
	inner := make([]byte, 0, 1<<20)
	for range 1 << 18 {
		inner = append(inner, 6<<3|2, 0) // an empty firmware offer
	}
	payload := append([]byte{3<<3 | 2}, protowire.AppendVarint(nil, uint64(len(inner)))...)
	payload = append(payload, inner...)
	n := len(payload)
	frame := append([]byte{byte(KindAnswer), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, payload...)
	var refusal *Error
	if _, err := ReadMessage(bytes.NewReader(frame), new(Buffer)); !errors.As(err, &refusal) || !strings.Contains(refusal.Message, "offers") {
		t.Fatal(err)
	}
}
