package upload

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"slices"
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
			WaitingBytes: most, ClearAtUs: latest,
		}
	}
	for _, m := range []Message{
		&Welcome{
			Protocol: 1<<32 - 1, ServerVersion: text(MaxText), Agency: text(40), AgencyPublicKey: make([]byte, MaxPublicKey), LogOrigin: text(MaxOrigin),
			LogPublicKey: make([]byte, Ed25519KeySize), ReceiptKeyId: text(MaxKeyID), ReceiptPublicKey: make([]byte, Ed25519KeySize), ServerTimeUs: latest,
			Checkpoint: make([]byte, MaxCheckpoint), Consistency: make([]byte, MaxConsistency), Restored: slices.Repeat([]int64{1 << 48}, MaxRestores),
		},
		&Inventory{Envelope: make([]byte, MaxInventory)},
		&Status{
			AtUs: latest, Bays: bays, SpoolBytes: most, SpoolQuota: most, RecordingsWaiting: most, WaitingBytes: most, BytesPerSecond: most, ClearAtUs: latest, SpoolFullAtUs: latest,
			Transport: &Transport{Over: text(32), Connections: 1<<32 - 1, Why: text(MaxMessage), RttUs: 1<<32 - 1, LostPpm: MaxShare},
		},
		&Accept{ResumeSegment: MaxSegments, Held: make([]byte, MaxHeld)},
		largestDirection(), largestQueue(),
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

func largestDirection() *Direction {
	id, words := strings.Repeat("f", 32), strings.Repeat("x", MaxText)
	d := &Direction{LimitWhy: strings.Repeat("x", MaxMessage), BytesPerSecond: 1<<64 - 1, BackWithinMs: MaxRetryAfter, SharePpm: MaxShare, DockBandwidth: &Bandwidth{Zone: words}}
	for range MaxWindows {
		d.DockBandwidth.Windows = append(d.DockBandwidth.Windows, &Window{Days: 127, From: 1440, Until: 1440, BytesPerSecond: 1<<64 - 1})
	}
	d.StationBandwidth = d.DockBandwidth
	for range MaxOrder {
		d.Order, d.Urgent = append(d.Order, id), append(d.Urgent, id)
	}
	for range MaxOfficers {
		d.UrgentOfficers = append(d.UrgentOfficers, words)
	}
	for range MaxCategories {
		d.Categories = append(d.Categories, &Category{Category: words, Weight: MaxWeight, Urgent: true})
	}
	return d
}

func largestQueue() *Queue {
	words := strings.Repeat("x", MaxText)
	q := &Queue{Recordings: 1<<64 - 1, Bytes: 1<<64 - 1}
	for range MaxWaiting {
		q.Waiting = append(q.Waiting, &Waiting{
			EvidenceId: strings.Repeat("f", 32), Path: words, CameraSerial: words, Bay: words, Officer: words, Category: words,
			Length: 1<<64 - 1, DurableBytes: 1<<64 - 1, Urgent: true, UrgentWhy: words, SpooledAtUs: latest,
		})
	}
	return q
}

func TestDirectionsAndQueuesOutOfBoundsAreRefused(t *testing.T) {
	direction := func(spoil func(*Direction)) Message {
		d := largestDirection()
		spoil(d)
		return d
	}
	for name, m := range map[string]Message{
		"share above all":       direction(func(d *Direction) { d.SharePpm++ }),
		"one window too many":   direction(func(d *Direction) { d.DockBandwidth.Windows = append(d.DockBandwidth.Windows, &Window{Days: 1}) }),
		"no day":                direction(func(d *Direction) { d.DockBandwidth.Windows[0] = &Window{} }),
		"an eighth day":         direction(func(d *Direction) { d.DockBandwidth.Windows[0] = &Window{Days: 128} }),
		"minute 1441":           direction(func(d *Direction) { d.DockBandwidth.Windows[0] = &Window{Days: 1, Until: 1441} }),
		"table without zone":    direction(func(d *Direction) { d.StationBandwidth = &Bandwidth{} }),
		"order of no item":      direction(func(d *Direction) { d.Order[0] = "x" }),
		"urgent no item":        direction(func(d *Direction) { d.Urgent[0] = "" }),
		"officer without id":    direction(func(d *Direction) { d.UrgentOfficers[0] = "" }),
		"category without name": direction(func(d *Direction) { d.Categories[0] = &Category{} }),
		"weight 101":            direction(func(d *Direction) { d.Categories[0] = &Category{Category: "x", Weight: 101} }),
		"two days to come back": direction(func(d *Direction) { d.BackWithinMs = 2 * MaxRetryAfter }),
		"501 recordings":        &Queue{Waiting: append(largestQueue().Waiting, largestQueue().Waiting[0])},
		"waiting without id":    &Queue{Waiting: []*Waiting{{}}},
		"stripe of no item":     &Join{},
		"held beyond the end":   &Accept{Held: make([]byte, MaxHeld+1)},
		"frames beyond the end": &Ack{Frames: MaxSegments + 1},
	} {
		var refused *Error
		if err := m.Validate(); !errors.As(err, &refused) || refused.Code != CodeBadFrame {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDirectionsThatWouldSwellInMemoryAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	for kind, field := range map[Kind]protowire.Number{KindDirection: 12, KindQueue: 1} {
		var payload []byte
		for range 20_000 {
			payload = protowire.AppendBytes(protowire.AppendTag(payload, field, protowire.BytesType), nil)
		}
		n := len(payload)
		frame := append([]byte{byte(kind), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, payload...)
		spent := testing.AllocsPerRun(1, func() {
			if _, err := ReadMessage(bytes.NewReader(frame), new(Buffer)); err == nil {
				t.Errorf("%v with 20000 entries was taken", kind)
			}
		})
		if spent > 100 {
			t.Errorf("refusing a %v cost %v allocations", kind, spent)
		}
	}
}

func TestWhatAnAcceptHolds(t *testing.T) {
	a := &Accept{ResumeSegment: 2, Held: []byte{0b101, 0b10}}
	for index, want := range []bool{true, true, true, false, true, false, false, false, false, false, false, true, false, false} {
		if got := a.Holds(uint64(index)); got != want {
			t.Errorf("segment %d: held %v, want %v", index, got, want)
		}
	}
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
