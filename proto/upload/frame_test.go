package upload

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// samples has one valid message of every kind, each field set.
func samples() []Message {
	key := bytes.Repeat([]byte{7}, Ed25519KeySize)
	return []Message{
		&Hello{Protocol: Version, AgentVersion: "1.2.3", Agency: "north-county", Dock: "dock-7"},
		&Welcome{
			Protocol: Version, ServerVersion: "1.2.3", Agency: "north-county", AgencyPublicKey: bytes.Repeat([]byte{1}, 1249),
			LogOrigin: "evidence.example/log", LogPublicKey: key, ReceiptKeyId: "ed25519:0011223344556677", ReceiptPublicKey: key,
			ServerTimeUs: 1_790_000_000_000_000,
		},
		&Inventory{Envelope: []byte(`{"payload":"inventory"}`)},
		&InventoryAck{},
		&Status{
			AtUs: 1_790_000_000_000_000, SpoolBytes: 1, SpoolQuota: 2, RecordingsWaiting: 3,
			WaitingBytes: 4, BytesPerSecond: 5, ClearAtUs: 1_790_000_100_000_000, SpoolFullAtUs: 1_790_000_200_000_000,
			Transport: &Transport{Over: OverTCP, Connections: 2, Why: "UDP is blocked.", RttUs: 20_000, LostPpm: 100},
			Bays: []*Bay{{
				Port: "1-1.4", CameraSerial: "SN 1", CameraModel: "Kamera Ä", State: BayCopying, Message: "Copying.",
				RecordingsTotal: 4, RecordingsDone: 1, BytesTotal: 400, BytesDone: 100, BytesPerSecond: 10, BatteryPercent: -1,
				WaitingBytes: 300, ClearAtUs: 1_790_000_050_000_000,
			}},
		},
		&Release{Envelope: []byte(`{"payload":"release"}`)},
		&ReleaseAck{EvidenceId: "00112233445566778899aabbccddeeff"},
		&Offer{Manifest: []byte(`{"payload":"manifest"}`), WrappedKey: []byte{1, 2}, Header: []byte{3}, Leaves: bytes.Repeat([]byte{9}, 3*HashSize)},
		&Accept{ResumeSegment: 2, Held: []byte{6}},
		&Data{Index: 2, Sealed: []byte("sealed bytes")},
		&Ack{DurableSegments: 3, Frames: 1},
		&Finish{},
		&Receipt{Envelope: []byte(`{"payload":"receipt"}`)},
		&Error{Code: CodeDigestMismatch, Message: "Segment 2 is damaged; send it again.", Segment: 2, RetryAfter: 1500 * time.Millisecond},
		&Ask{Camera: &CameraQuestion{Serial: "SN 1", Key: key}},
		&Answer{Policy: &PolicyAnswer{
			Digest: bytes.Repeat([]byte{5}, HashSize), Authority: key, Trust: []byte(`{"payload":"trust"}`), KeepDays: 3, Settings: [][]byte{[]byte(`{"payload":"settings"}`)},
			Firmware: []*FirmwareOffer{{Statement: []byte(`{"payload":"firmware"}`), Maker: key, WindowFrom: 60, WindowTo: 300}},
		}},
		&FirmwareFetch{Sha256: bytes.Repeat([]byte{8}, HashSize), Offset: 1 << 20},
		&FirmwareBlock{Offset: 1 << 20, Data: []byte("image")},
		&Join{EvidenceId: "00112233445566778899aabbccddeeff", Attempt: 2},
		&Direction{
			Limited: true, BytesPerSecond: 250_000, LimitWhy: "By the dock's table.", Draining: true, BackWithinMs: 30_000, SharePpm: 500_000,
			DockBandwidth:    &Bandwidth{Zone: "Europe/Berlin", Windows: []*Window{{Days: 31, From: 480, Until: 1080, BytesPerSecond: 250_000}}},
			StationBandwidth: &Bandwidth{Zone: "UTC"},
			Order:            []string{"00112233445566778899aabbccddeeff"}, Urgent: []string{"ffeeddccbbaa99887766554433221100"},
			UrgentOfficers: []string{"4711"}, Categories: []*Category{{Category: "Use of force", Weight: 50, Urgent: true}},
			PolicyDigest: bytes.Repeat([]byte{5}, HashSize),
		},
		&Queue{Recordings: 2, Bytes: 300, Waiting: []*Waiting{{
			EvidenceId: "00112233445566778899aabbccddeeff", Path: "DCIM/A.MP4", CameraSerial: "SN 1", Bay: "1-1.4", Officer: "Kim", Category: "Traffic",
			Length: 300, DurableBytes: 100, Urgent: true, UrgentWhy: "At the bay.", SpooledAtUs: 1_790_000_000_000_000,
		}}},
	}
}

func frameOf(t testing.TB, m Message) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WriteMessage(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func same(a, b Message) bool {
	if pa, ok := a.(proto.Message); ok {
		pb, ok := b.(proto.Message)
		return ok && proto.Equal(pa, pb)
	}
	switch a := a.(type) {
	case *Data:
		b, ok := b.(*Data)
		return ok && a.Index == b.Index && bytes.Equal(a.Sealed, b.Sealed)
	case *Error:
		b, ok := b.(*Error)
		return ok && *a == *b
	}
	return false
}

func TestEveryMessageComesBackAsItWas(t *testing.T) {
	var stream bytes.Buffer
	for _, m := range samples() {
		stream.Write(frameOf(t, m))
	}
	var b Buffer
	for _, want := range samples() {
		got, err := ReadMessage(&stream, &b)
		if err != nil {
			t.Fatalf("%v: %v", want.Kind(), err)
		}
		if !same(want, got) {
			t.Errorf("%v: got %v, want %v", want.Kind(), got, want)
		}
	}
	if _, err := ReadMessage(&stream, &b); err != io.EOF {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
}

func TestTruncationAnywhereIsAnUnexpectedEnd(t *testing.T) {
	for _, m := range samples() {
		frame := frameOf(t, m)
		for n := 1; n < len(frame); n++ {
			_, err := ReadMessage(bytes.NewReader(frame[:n]), new(Buffer))
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%v cut at %d: %v", m.Kind(), n, err)
			}
		}
	}
}

func TestKindsThatAreNotExpectedAreRefusedBeforeTheirPayload(t *testing.T) {
	r := bytes.NewReader(append([]byte{byte(KindOffer), 0, 0x40, 0, 0}, 1, 2, 3))
	_, err := ReadMessage(r, new(Buffer), KindData, KindFinish)
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Code != CodeBadFrame {
		t.Fatalf("error %v, want %s", err, CodeBadFrame)
	}
	if r.Len() != 3 {
		t.Errorf("%d bytes of payload left, want all 3", r.Len())
	}
}

func TestExpectTellsARefusalFromTheAnswer(t *testing.T) {
	var b Buffer
	got, err := Expect[*Accept](bytes.NewReader(frameOf(t, &Accept{ResumeSegment: 5})), &b)
	if err != nil || got.GetResumeSegment() != 5 {
		t.Fatalf("got %v, %v", got, err)
	}
	_, err = Expect[*Accept](bytes.NewReader(frameOf(t, Errorf(CodeFull, "No room."))), &b)
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Code != CodeFull {
		t.Errorf("a refusal came as %v", err)
	}
	_, err = Expect[*Accept](bytes.NewReader(frameOf(t, &Finish{})), &b)
	if !errors.As(err, &refusal) || refusal.Code != CodeBadFrame {
		t.Errorf("another kind came as %v", err)
	}
}

func TestDataIsReadIntoTheSameMemory(t *testing.T) {
	frame := make([]byte, DataHeaderSize+MaxSegment)
	if err := PutDataHeader(frame, 41); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(frame, frameOf(t, &Data{Index: 41, Sealed: frame[DataHeaderSize:]})) {
		t.Error("PutDataHeader and WriteMessage differ")
	}
	var b Buffer
	r := bytes.NewReader(frame)
	allocs := testing.AllocsPerRun(20, func() {
		r.Reset(frame)
		if _, err := ReadMessage(r, &b); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per segment, want none", allocs)
	}
}

// endless gives zeros for ever and counts what was asked of it.
type endless struct{ limit, given int }

func (e *endless) Read(p []byte) (int, error) {
	n := min(len(p), e.limit-e.given)
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	e.given += n
	return n, nil
}

func TestAnAnnouncedLengthCostsNoMemory(t *testing.T) {
	var b Buffer
	header := bytes.NewReader([]byte{byte(KindOffer), 0, 0x40, 0, 0})
	_, err := ReadMessage(io.MultiReader(header, &endless{limit: 100}), &b)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if cap(b.payload) > MaxData {
		t.Errorf("%d bytes set aside for 100 that came", cap(b.payload))
	}
}

func TestCleanTextAlwaysValidates(t *testing.T) {
	for _, s := range []string{"", "plain", "line\nbreak", "\x00\x7f", "bad \xff utf-8", "right\u202eleft", strings.Repeat("ä", 900), "\u2028"} {
		clean := CleanText(s, MaxMessage)
		if err := (&Error{Code: CodeInternal, Message: clean}).Validate(); err != nil {
			t.Errorf("%q became %q: %v", s, clean, err)
		}
	}
}

func TestVersionMismatchSaysWhatToUpdate(t *testing.T) {
	if m := VersionMismatch(Version - 1).Message; !strings.Contains(m, "update the dock agent") {
		t.Error(m)
	}
	if m := VersionMismatch(Version + 1).Message; !strings.Contains(m, "update the ingest server") {
		t.Error(m)
	}
}
