package dashboard_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// noise is content in which every part differs.
func noise(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		sum := sha256.Sum256([]byte(strconv.Itoa(i)))
		b.Write(sum[:])
	}
	return b.Bytes()[:n]
}

func TestEveryRangeIsTheBytesOfTheRecording(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	content := noise(3*seal.SegmentSize + 12345)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: content})
	path := "/evidence/" + item.ID.String() + "/play"
	size := uint64(len(content))
	rapid.Check(t, func(rt *rapid.T) {
		edge := rapid.SampledFrom([]uint64{0, 1, seal.SegmentSize - 1, seal.SegmentSize, seal.SegmentSize + 1, 2 * seal.SegmentSize, size - 1})
		from := rapid.OneOf(edge, rapid.Uint64Range(0, size-1)).Draw(rt, "from")
		to := rapid.Uint64Range(from, min(size+10, from+3*seal.SegmentSize)).Draw(rt, "to")
		header := fmt.Sprintf("bytes=%d-%d", from, to)
		switch rapid.IntRange(0, 4).Draw(rt, "form") {
		case 0:
			header, to = fmt.Sprintf("bytes=%d-", from), size-1
		case 1:
			n := rapid.Uint64Range(1, size+10).Draw(rt, "suffix")
			header, from, to = fmt.Sprintf("bytes=-%d", n), size-min(n, size), size-1
		}
		to = min(to, size-1)
		a := s.get(t, client, path, "Range", header)
		want := fmt.Sprintf("bytes %d-%d/%d", from, to, size)
		if a.StatusCode != http.StatusPartialContent || a.Header.Get("Content-Range") != want {
			rt.Fatalf("%s: %d, %q, want %q", header, a.StatusCode, a.Header.Get("Content-Range"), want)
		}
		if a.body != string(content[from:to+1]) {
			rt.Fatalf("%s: other bytes", header)
		}
		if h := a.Header; !strings.Contains(h.Get("Content-Security-Policy"), "; sandbox;") || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("X-Content-Type-Options") != "nosniff" {
			rt.Fatalf("%s: a part that a browser may take for a page: %v", header, h)
		}
	})
	if a := s.get(t, client, path); a.StatusCode != http.StatusOK || a.body != string(content) || a.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("the whole: %d, %d bytes", a.StatusCode, len(a.body))
	}
	tag := `"` + item.SHA256.String() + `"`
	if a := s.get(t, client, path, "Range", "bytes=0-9", "If-Range", `"another"`); a.StatusCode != http.StatusOK || len(a.body) != len(content) {
		t.Errorf("a range of another version: %d", a.StatusCode)
	}
	if a := s.get(t, client, path, "Range", "bytes=0-9", "If-Range", tag); a.StatusCode != http.StatusPartialContent {
		t.Errorf("a range of this version: %d", a.StatusCode)
	}
	if n := s.Events(t, evidence.EventEvidencePlayed, evidence.ItemObject(item.ID)); n != 1 {
		t.Errorf("one playing is %d events", n)
	}
	s.Clock.Advance(11 * time.Minute)
	s.get(t, client, path, "Range", "bytes=0-9")
	if n := s.Events(t, evidence.EventEvidencePlayed, evidence.ItemObject(item.ID)); n != 2 {
		t.Errorf("a second playing makes %d events", n)
	}
	if n := s.Blobs.InUse(); n != 0 {
		t.Errorf("%d blobs stay open", n)
	}
}

func TestRangesThatCannotBeMeantAreRefused(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: noise(1000)})
	many := "bytes=0-" + strings.Repeat(",0-", 10_000)
	for _, header := range []string{
		"bytes=1000-", "bytes=1000-2000", "bytes=5-4", "bytes=0-1,2-3", many, "bytes=-0", "bytes=", "bytes=-", "bytes=a-b", "bytes=0x1-2", "bytes=+1-2",
		"bytes= 1-2", "bytes=1 -2", "items=0-1", "bytes", "0-1", "bytes=-1-2", "bytes=99999999999999999999-", "bytes=18446744073709551615-", "bytes=0-18446744073709551616", "bytes=--5",
	} {
		a := s.get(t, client, "/evidence/"+item.ID.String()+"/play", "Range", header)
		if a.StatusCode != http.StatusRequestedRangeNotSatisfiable || a.Header.Get("Content-Range") != "bytes */1000" || len(a.body) > 100 {
			t.Errorf("%.40s: %d, %q", header, a.StatusCode, a.Header.Get("Content-Range"))
		}
	}
}

func TestAHarmedPartNeverReachesThePlayer(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	content := noise(2*seal.SegmentSize + 5)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: content})
	s.Blobs.Harm(readingtest.Key(item), seal.HeaderSize+seal.SegmentSize+seal.Overhead+77) // in the second segment
	path := "/evidence/" + item.ID.String() + "/play"
	if a := s.get(t, client, path, "Range", "bytes=10-19"); a.body != string(content[10:20]) {
		t.Error("a sound part of a harmed recording cannot be read")
	}
	for name, ask := range map[string]func() (*http.Response, error){
		"play": func() (*http.Response, error) {
			r, _ := http.NewRequestWithContext(t.Context(), "GET", s.server.URL+path, nil)
			r.Header.Set("Range", fmt.Sprintf("bytes=%d-", seal.SegmentSize-10))
			return client.Do(r)
		},
		"download": func() (*http.Response, error) {
			return client.PostForm(s.server.URL+"/evidence/"+item.ID.String()+"/original", url.Values{})
		},
	} {
		response, err := ask()
		if err != nil {
			continue // broken off before the first byte
		}
		var got bytes.Buffer
		_, err = got.ReadFrom(response.Body)
		response.Body.Close()
		if err == nil {
			t.Errorf("%s: the answer looks whole, %d bytes", name, got.Len())
		}
		if sound := content[:seal.SegmentSize]; !bytes.HasPrefix(sound, got.Bytes()) && !bytes.HasSuffix(sound, got.Bytes()) {
			t.Errorf("%s: bytes of the harmed part were sent", name)
		}
	}
	rows := s.get(t, client, "/evidence/"+item.ID.String()).body
	if !strings.Contains(rows, "Played: failed") || !strings.Contains(rows, "Original downloaded: failed") {
		t.Error("the custody record does not say that the bytes do not hold")
	}
}

// event is one server-sent event.
type event struct{ name, data string }

// listen opens the live overview.
func (s *site) listen(t *testing.T, ctx context.Context, client *http.Client) (*http.Response, <-chan event) {
	t.Helper()
	r, _ := http.NewRequestWithContext(ctx, "GET", s.server.URL+"/live", nil)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan event)
	go func() {
		defer close(events)
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 16<<20)
		var e event
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case lines.Text() == "":
				select {
				case events <- e:
				case <-ctx.Done():
					return
				}
				e = event{}
			case name == "event":
				e.name = value
			case name == "data":
				e.data = value
			}
		}
	}()
	return response, events
}

// await returns the first event that fits.
func await(t *testing.T, events <-chan event, fits func(event) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				t.Fatal("the stream ended")
			}
			if fits(e) {
				return
			}
		case <-deadline:
			t.Fatal("nothing came for 20 seconds")
		}
	}
}

func TestTheLiveOverviewFollowsTheDocksAndEndsWithTheSession(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	response, events := s.listen(t, ctx, client)
	if response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", response.Header)
	}
	await(t, events, func(e event) bool { return e.name == "wall" && strings.Contains(e.data, "No dock yet") })
	s.Live.Set(liveDay(s.Clock.Now()))
	await(t, events, func(e event) bool {
		var v struct{ HTML, At string }
		return json.Unmarshal([]byte(e.data), &v) == nil && strings.Contains(v.HTML, "SD-04412") && strings.HasSuffix(v.At, "EST") && !strings.Contains(v.HTML, "their-dock")
	})
	s.ask(t, client, "POST", "/sign-out", url.Values{})
	s.Live.Set(liveDay(s.Clock.Now()))
	await(t, events, func(e event) bool { return e.name == "end" })
}

func TestLiveOverviewsAreBoundedAndLeaveNothingBehind(t *testing.T) {
	const most = 5
	s := newSite(t, func(c *dashboard.Config) { c.LiveClients = most })
	client := s.signedIn(t)
	s.get(t, client, "/session") // the connection is there
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	var open []<-chan event
	for range most {
		_, events := s.listen(t, ctx, client)
		await(t, events, func(e event) bool { return e.name == "wall" })
		open = append(open, events)
	}
	if a := s.get(t, client, "/live"); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", a.StatusCode)
	}
	cancel()
	for _, events := range open {
		for range events {
		}
	}
	goleak.VerifyNone(t, before)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	_, events := s.listen(t, ctx, client)
	await(t, events, func(e event) bool { return e.name == "wall" })
}

func TestWatchingDoesNotKeepASessionAlive(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, events := s.listen(t, ctx, client)
	await(t, events, func(e event) bool { return e.name == "wall" })
	s.Clock.Advance(29 * time.Minute)
	s.Live.Set(liveDay(s.Clock.Now()))
	await(t, events, func(e event) bool { return e.name == "wall" })
	s.Clock.Advance(time.Minute)
	s.Live.Set(liveDay(s.Clock.Now()))
	await(t, events, func(e event) bool { return e.name == "end" })
	if a := s.get(t, client, "/session"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("after 30 idle minutes: %d", a.StatusCode)
	}
}
