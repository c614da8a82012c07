package kiosk

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestHeadersAreBounded(t *testing.T) {
	s := serve(t, newScene(idle()).options())
	if a := s.ask(t, "GET", "/", "", "X-Long", strings.Repeat("x", maxHeaders-1<<10)); a.StatusCode != http.StatusOK {
		t.Errorf("headers within the bound: %s", a.Status)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.origin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The server may close before all is written, and a reset may overtake its answer.
	_, writeErr := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
	got, readErr := io.ReadAll(conn)
	if strings.HasPrefix(string(got), "HTTP/1.1 200") || writeErr == nil && readErr == nil && !strings.HasPrefix(string(got), "HTTP/1.1 431") {
		t.Errorf("a header of 1 MiB: %.40q (%v, %v)", got, writeErr, readErr)
	}
}

func TestConnectionsAreBoundedAndServedWhenOneEnds(t *testing.T) {
	s := serve(t, newScene(idle()).options())
	var conns []net.Conn
	for range maxConnections + 1 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.origin, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	// The others say nothing; each is cut after headerTime. One more waits until then.
	last := conns[maxConnections]
	if _, err := io.WriteString(last, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := last.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := last.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("connection %d is served beside %d others: %d bytes, %v", maxConnections+1, maxConnections, n, err)
	}
	conns[0].Close()
	if err := last.SetReadDeadline(time.Now().Add(headerTime - time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(last); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200") {
		t.Errorf("after another ended: %.40q, %v", got, err)
	}
}

func TestAViewThatHangsDoesNotHoldUpTheEnd(t *testing.T) {
	asked, hang := make(chan struct{}, 1), make(chan struct{})
	o := newScene(idle()).options()
	view := o.View
	o.View = func() Dock {
		asked <- struct{}{}
		<-hang
		return view()
	}
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	first := k.board.newest.next
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	<-asked
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * stopTime):
		t.Error("Run waits for a View that hangs")
	}
	close(hang)
	<-first // the drawing that was left behind ends as well
}

func TestLiveViewsAreBoundedAndLeaveNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	scene := newScene(done())
	s := serve(t, scene.options())
	client := &http.Client{Transport: &http.Transport{}}
	open := func() *bufio.Reader {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.origin+"/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return bufio.NewReader(response.Body)
	}
	first := func(r *bufio.Reader) string {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	var last *bufio.Reader
	for i := range maxLive {
		last = open()
		if got := first(last); got != "event: wall" {
			t.Fatalf("live view %d: %q", i+1, got)
		}
	}
	if got := first(open()); got != "event: full" {
		t.Errorf("one too many: %q", got)
	}
	scene.set(func(d *Dock) { d.Name = "Renamed" })
	for {
		line, err := last.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "Renamed") {
			break
		}
	}
	s.stop()
	if _, err := io.Copy(io.Discard, last); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Log("the stream ended:", err)
	}
	client.CloseIdleConnections()
}

func TestAnAgentThatDoesNotAnswerIsSaidToBeSo(t *testing.T) {
	scene := newScene(done())
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	k, err := New(Options{Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), View: scene.view, Urgent: scene.urgent})
	if err != nil {
		t.Fatal(err)
	}
	look := func() (int, string) {
		r, w := httptest.NewRequest("GET", "http://127.0.0.1:7081/", nil), httptest.NewRecorder()
		k.handler().ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	check := func(when string, wantCode int) {
		t.Helper()
		code, body := look()
		if safe := strings.Contains(body, "Safe to take"); code != wantCode || safe != (wantCode == 200) || (code == 503) != strings.Contains(body, `<main class="lost now"`) {
			t.Errorf("%s: status %d, safe %t", when, code, safe)
		}
	}
	check("before the first drawing", 503)
	if err := k.board.draw(); err != nil {
		t.Fatal(err)
	}
	check("at once", 200)
	now = now.Add(freshFor - time.Millisecond)
	check("just fresh", 200)
	now = now.Add(time.Millisecond)
	check("old", 503)
	if _, fresh := k.board.look(); fresh {
		t.Error("an old drawing counts as fresh")
	}
	r, w := httptest.NewRequest("POST", "http://127.0.0.1:7081/urgent", strings.NewReader("port=1-2.1&on=yes")), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	k.handler().ServeHTTP(w, r)
	if w.Code != http.StatusConflict || len(scene.presses()) != 0 {
		t.Errorf("urgent while the agent is silent: %d", w.Code)
	}
}
