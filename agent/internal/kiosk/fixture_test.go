package kiosk

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/upload"
)

// scene is a dock that tests change, with the face of Options on it.
type scene struct {
	mu      sync.Mutex // guards the fields below
	dock    Dock
	changed chan struct{}
	pressed []string
	refuse  error
}

func newScene(d Dock) *scene { return &scene{dock: d, changed: make(chan struct{})} }

func (s *scene) view() Dock {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.dock
	d.Bays = append([]Bay(nil), d.Bays...)
	return d
}

func (s *scene) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// set changes the dock, and says so.
func (s *scene) set(change func(d *Dock)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dock.Bays = append([]Bay(nil), s.dock.Bays...)
	change(&s.dock)
	close(s.changed)
	s.changed = make(chan struct{})
}

// urgent is what the agent does when the button is pressed.
func (s *scene) urgent(port string, on bool) error {
	s.mu.Lock()
	refuse := s.refuse
	s.pressed = append(s.pressed, fmt.Sprintf("%s %t", port, on))
	s.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	s.set(func(d *Dock) {
		for i := range d.Bays {
			if d.Bays[i].Port == port {
				d.Bays[i].Urgent = on
			}
		}
	})
	return nil
}

func (s *scene) presses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.pressed...)
}

// options are the page's on this scene, on a free port of loopback.
func (s *scene) options() Options {
	return Options{
		Address: "127.0.0.1:0", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		View: s.view, Changed: s.next, Urgent: s.urgent,
	}
}

// served is a page that runs until the test ends.
type served struct {
	kiosk  *Kiosk
	origin string // http://127.0.0.1:port
	stop   func() // ends it and waits
}

func serve(t *testing.T, o Options) *served {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, o, listener)
}

func serveOn(t *testing.T, o Options, listener net.Listener) *served {
	t.Helper()
	o.Listen = func(context.Context, string) (net.Listener, error) { return listener, nil }
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	first := k.board.newest.next
	go func() { ended <- k.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	<-first // drawn once
	return &served{kiosk: k, origin: "http://" + listener.Addr().String(), stop: stop}
}

// answer is an answer read whole.
type answer struct {
	*http.Response
	body string
}

// ask sends one request; headers come in pairs, and "Host" sets the name called.
func (s *served) ask(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.origin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(text)}
}

// empty returns n bays without cameras.
func empty(n int) []Bay {
	bays := make([]Bay, n)
	for i := range bays {
		bays[i] = Bay{Port: fmt.Sprintf("1-2.%d", i+1), Label: fmt.Sprint(i + 1), State: upload.BayEmpty, TimeToGo: Unknown, Battery: Unknown, Firmware: Unknown}
	}
	return bays
}

func dockOf(bays []Bay) Dock {
	return Dock{Name: "Front desk", Station: "North station", Connected: true, SpoolUsed: 34 << 30, SpoolQuota: 400 << 30, Waiting: 0, Bays: bays}
}

func idle() Dock { return dockOf(empty(8)) }

const gib = 1 << 30

func bay(i int, state string, change func(b *Bay)) Bay {
	b := empty(i)[i-1]
	b.State, b.Registered = state, true
	change(&b)
	return b
}

func busy() Dock {
	d := dockOf([]Bay{
		bay(1, upload.BayCopying, func(b *Bay) {
			b.Officer, b.Serial, b.Battery, b.Charging = "Jonah Reyes", "SD-04412", 64, true
			b.BytesDone, b.BytesTotal, b.Rate, b.TimeToGo, b.RecordingsSafe, b.RecordingsTotal = 11*gib, 31*gib, 38<<20, 540, 4, 12
		}),
		bay(2, upload.BayDone, func(b *Bay) {
			b.Officer, b.Serial, b.Battery, b.Charging, b.Safe = "Alba Moreno", "SD-04401", 97, true, true
			b.RecordingsSafe, b.RecordingsTotal = 7, 7
		}),
		bay(3, upload.BayUploading, func(b *Bay) {
			b.Officer, b.Serial, b.Battery, b.Charging, b.Safe = "Wilhelmina Oyelaran-Featherstonehaugh", "SD-04377", 88, true, true
			b.BytesDone, b.BytesTotal, b.Rate, b.TimeToGo, b.RecordingsSafe, b.RecordingsTotal = 22*gib, 24*gib, 21<<20, 98, 15, 17
		}),
		bay(4, upload.BayEmpty, func(b *Bay) {}),
		bay(5, upload.BayCopying, func(b *Bay) {
			b.Registered, b.Serial, b.Battery = false, "X81-2217", 12
			b.BytesDone, b.BytesTotal, b.Rate, b.TimeToGo, b.RecordingsTotal, b.Urgent = 2*gib, 58*gib, 41<<20, 4980, 31, true
		}),
		bay(6, upload.BayReading, func(b *Bay) {
			b.Serial, b.Sentence, b.Battery, b.Charging = "SD-04419", "Waiting for its turn: eight cameras are read at once.", 51, true
		}),
		bay(7, upload.BayReleasing, func(b *Bay) {
			b.Officer, b.Serial, b.Battery, b.Charging = "T. Nakamura", "SD-04390", 100, true
			b.BytesDone, b.BytesTotal, b.RecordingsSafe, b.RecordingsTotal = 9*gib, 9*gib, 5, 5
		}),
		bay(8, upload.BayDone, func(b *Bay) {
			b.Officer, b.Serial, b.Battery, b.Charging, b.Firmware = "Priya Raman", "SD-04398", 93, true, 42
			b.RecordingsSafe, b.RecordingsTotal, b.Safe = 3, 3, true
		}),
	})
	d.Waiting = 29
	return d
}

func done() Dock {
	names := []string{"Jonah Reyes", "Alba Moreno", "Wilhelmina Oyelaran", "T. Nakamura", "Priya Raman", "Sam Okafor", "", "Lee Brandt"}
	var bays []Bay
	for i, name := range names {
		bays = append(bays, bay(i+1, upload.BayDone, func(b *Bay) {
			b.Officer, b.Serial, b.Battery, b.Charging, b.Safe = name, fmt.Sprintf("SD-044%02d", i+1), 100-i*4, i%3 > 0, true
			b.RecordingsSafe, b.RecordingsTotal = uint64(i*3), uint64(i*3)
		}))
	}
	return dockOf(bays)
}

func trouble() Dock {
	d := busy()
	d.Connected, d.Server = false, "No connection to the server for 12 min. Cameras are copied all the same; recordings wait safely in this dock."
	d.SpoolUsed, d.Waiting = 371*gib, 212
	d.Bays[1] = bay(2, upload.BayAttention, func(b *Bay) {
		b.Officer, b.Serial, b.Battery = "Alba Moreno", "SD-04401", 97
		b.Sentence = "The camera is held by another program (gvfs-mtp). Stop it, or tell the person who looks after this dock."
		b.RecordingsSafe, b.RecordingsTotal = 5, 7
	})
	d.Bays[2] = bay(3, upload.BayAttention, func(b *Bay) {
		b.Officer, b.Serial, b.Battery, b.Charging, b.Safe = "Wilhelmina Oyelaran-Featherstonehaugh", "SD-04377", 88, true, true
		b.Sentence = "DCIM/100SEALD/REYES_0043.MP4 is in quarantine at the server and stays on the camera: the bytes read back differ."
		b.RecordingsSafe, b.RecordingsTotal = 16, 17
		b.Alerts = []string{"The camera's clock was 1 h 17 min wrong and has been set.", b.Sentence}
	})
	d.Bays[4].Alerts = []string{"The camera in bay 6 gives the same serial number. Both are taken in; have the cameras looked at."}
	d.Bays[5] = bay(6, upload.BayAttention, func(b *Bay) {
		b.Registered, b.Serial = false, "X81-2217"
		b.Sentence = "Spool full: copying is paused and the camera keeps its recordings. It goes on by itself when the server takes what waits."
		b.RecordingsTotal = 9
		b.Alerts = []string{"The camera in bay 5 gives the same serial number. Both are taken in; have the cameras looked at."}
	})
	d.Bays[6].Battery, d.Bays[6].Charging = 6, false
	return d
}
