package receive_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// ticking is a clock that goes on by a step each time that it is read.
type ticking struct {
	mu   sync.Mutex // guards at
	at   time.Time
	step time.Duration
}

func (c *ticking) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(c.step)
	return c.at
}

func TestAClockQuestionIsAnsweredWithTheMomentsOfReadingAndWriting(t *testing.T) {
	began := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	clock := &ticking{at: began, step: time.Second}
	w := start(t, receive.Options{Now: clock.now})
	client := w.connect()
	for n := range int64(3) {
		answer, err := client.Ask(&upload.Ask{Clock: &upload.ClockQuestion{DockUs: 1000 + n}})
		if err != nil {
			t.Fatal(err)
		}
		got := answer.(*upload.Answer).GetClock()
		if got.GetDockUs() != 1000+n || got.GetReceivedUs() <= began.UnixMicro() || got.GetSentUs() != got.GetReceivedUs()+1_000_000 {
			t.Fatalf("question %d: %v; the shelf does not say when it was sent", n, got)
		}
	}
}

func TestQuestionsAreAnsweredInTheirOrderAmongOtherRequests(t *testing.T) {
	w := start(t, receive.Options{})
	client := w.connect()
	asked := []upload.Message{
		&upload.Ask{Clock: &upload.ClockQuestion{DockUs: 1}}, &upload.Inventory{Envelope: []byte("{}")},
		&upload.Ask{Camera: &upload.CameraQuestion{Serial: "CAM-1"}}, &upload.Ask{Clock: &upload.ClockQuestion{DockUs: 2}},
	}
	for _, m := range asked {
		if err := upload.WriteMessage(client.Control, m); err != nil {
			t.Fatal(err)
		}
	}
	var answers []upload.Message
	for range asked {
		m, err := upload.ReadMessage(client.Control, new(upload.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, m)
	}
	first, ok := answers[0].(*upload.Answer)
	if !ok || first.GetClock().GetDockUs() != 1 {
		t.Errorf("the first answer is %v", answers[0])
	}
	if _, ok := answers[1].(*upload.InventoryAck); !ok {
		t.Errorf("the second answer is %v", answers[1])
	}
	third, ok := answers[2].(*upload.Answer)
	if !ok || third.GetCamera().GetStanding() != upload.StandingUnknown {
		t.Errorf("the third answer is %v", answers[2])
	}
	fourth, ok := answers[3].(*upload.Answer)
	if !ok || fourth.GetClock().GetDockUs() != 2 {
		t.Errorf("the fourth answer is %v", answers[3])
	}
}

func TestTooManyQuestionsAreRefusedAndTheConnectionGoesOn(t *testing.T) {
	clock := &ticking{at: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)} // stands
	w := start(t, receive.Options{Now: clock.now, AsksPerSecond: 3})
	client := w.connect()
	ask := func() error {
		_, err := client.Ask(&upload.Ask{Clock: &upload.ClockQuestion{DockUs: 1}})
		return err
	}
	for n := range 3 {
		if err := ask(); err != nil {
			t.Fatalf("question %d: %v", n, err)
		}
	}
	if err := ask(); code(err) != upload.CodeRetryLater {
		t.Fatalf("the fourth got %v, want retry_later", err)
	}
	if _, err := client.Ask(&upload.Inventory{Envelope: []byte("{}")}); err != nil {
		t.Fatalf("an inventory got %v", err)
	}
	clock.mu.Lock()
	clock.at = clock.at.Add(time.Second)
	clock.mu.Unlock()
	if err := ask(); err != nil {
		t.Fatalf("a second later: %v", err)
	}
}

// image is longer than two blocks.
func image() []byte {
	b := make([]byte, 2*upload.MaxBlock+777)
	for n := range b {
		b[n] = byte(n * 7 >> 3)
	}
	return b
}

func TestAFirmwareImageComesWholeFromAnyOffset(t *testing.T) {
	w := start(t, receive.Options{})
	w.shelf.image = image()
	client := w.connect()
	for _, offset := range []uint64{0, 1, upload.MaxBlock, uint64(len(w.shelf.image)) - 1, uint64(len(w.shelf.image)), 1 << 63} {
		var got []byte
		err := client.Fetch(w.ctx, evidence.SHA256(w.shelf.image), offset, func(b []byte) error { got = append(got, b...); return nil })
		if err != nil {
			t.Fatalf("from %d: %v", offset, err)
		}
		if want := w.shelf.image[min(offset, uint64(len(w.shelf.image))):]; !bytes.Equal(got, want) {
			t.Errorf("from %d: %d bytes came, want %d, or others", offset, len(got), len(want))
		}
	}
	if err := client.Fetch(w.ctx, evidence.SHA256([]byte("another")), 0, nil); code(err) != upload.CodeNotFound {
		t.Errorf("an unknown image got %v, want not_found", err)
	}
	if err := upload.WriteMessage(client.Control, &upload.FirmwareFetch{Sha256: make([]byte, 32)}); err != nil {
		t.Fatal(err)
	}
	if _, err := upload.Expect[*upload.Answer](client.Control, new(upload.Buffer)); code(err) != upload.CodeBadFrame {
		t.Errorf("on the control stream it got %v, want bad_frame", err)
	}
}

func TestADockThatTakesNoBlocksIsGivenUpAndFetchesAreCounted(t *testing.T) {
	w := start(t, receive.Options{IdleTimeout: 300 * time.Millisecond, FirmwarePerDock: 1})
	w.shelf.image, w.shelf.closed = make([]byte, 64<<20), make(chan struct{}, 8)
	client := w.connect()
	sum := evidence.SHA256(w.shelf.image)
	stalled, err := client.Session.OpenStream(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := upload.WriteMessage(stalled, &upload.FirmwareFetch{Sha256: sum[:]}); err != nil {
		t.Fatal(err)
	}
	// One block shows that the first is being served; the rest is not read.
	if _, err := upload.Expect[*upload.FirmwareBlock](stalled, new(upload.Buffer)); err != nil {
		t.Fatal(err)
	}
	if err := client.Fetch(w.ctx, sum, 0, func([]byte) error { return nil }); code(err) != upload.CodeRetryLater {
		t.Errorf("the second at a time got %v, want retry_later", err)
	}
	select {
	case <-w.shelf.closed:
	case <-w.ctx.Done():
		t.Fatal("the image stays open for a dock that takes nothing")
	}
	enough := errors.New("enough")
	for {
		err := client.Fetch(w.ctx, sum, 0, func([]byte) error { return enough })
		if errors.Is(err, enough) {
			break
		}
		if code(err) != upload.CodeRetryLater { // its place comes free right after the image is closed
			t.Fatalf("afterwards it got %v", err)
		}
	}
	if n := w.shelf.count(func() int { return w.shelf.imagesClosed }); n < 1 {
		t.Errorf("%d images were closed", n)
	}
}

func TestAnEndingConnectionEndsAFetch(t *testing.T) {
	w := start(t, receive.Options{})
	w.shelf.image, w.shelf.closed = make([]byte, 64<<20), make(chan struct{}, 1)
	client := w.connect()
	sum := evidence.SHA256(w.shelf.image)
	stream, err := client.Session.OpenStream(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := upload.WriteMessage(stream, &upload.FirmwareFetch{Sha256: sum[:]}); err != nil {
		t.Fatal(err)
	}
	if _, err := upload.Expect[*upload.FirmwareBlock](stream, new(upload.Buffer)); err != nil {
		t.Fatal(err)
	}
	client.Control.CloseWrite()
	select {
	case <-w.shelf.closed:
	case <-w.ctx.Done():
		t.Fatal("the image stays open")
	}
}
