package kiosk

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestUrgentTakesOnlyWhatThePageCanAsk(t *testing.T) {
	scene := newScene(busy())
	s := serve(t, scene.options())
	for body, want := range map[string]int{
		"port=1-2.1&on=yes": 204, "port=1-2.1&on=no": 204, "port=1-2.4&on=yes": 409, "port=9-9&on=yes": 409, "port=&on=yes": 409, "port=1-2.1": 400, "port=1-2.1&on=true": 400,
		"": 400, "%zz": 400, "port=1-2.1&on=yes&pad=" + strings.Repeat("x", maxForm): 400,
	} {
		before := len(scene.presses())
		a := s.ask(t, "POST", "/urgent", body, "Origin", s.origin)
		if a.StatusCode != want {
			t.Errorf("%.40q: %s, want %d", body, a.Status, want)
		}
		if pressed := len(scene.presses()) - before; (pressed == 1) != (want == 204) {
			t.Errorf("%.40q: pressed %d times", body, pressed)
		}
	}
	if a := s.ask(t, "POST", "/urgent?port=1-2.1&on=yes", "", "Origin", s.origin); a.StatusCode != 400 {
		t.Errorf("in the address: %s", a.Status)
	}
	if a := s.ask(t, "POST", "/urgent", "port=1-2.1&on=yes", "Origin", s.origin, "Accept", "text/html,*/*"); a.StatusCode != 303 || a.Header.Get("Location") != "/" {
		t.Errorf("a form: %s to %q", a.Status, a.Header.Get("Location"))
	}
}

func TestWhatWentWrongWithUrgentIsForTheLogOnly(t *testing.T) {
	scene := newScene(busy())
	scene.refuse = errors.New("journal /var/lib/secret.db: locked")
	var said bytes.Buffer
	o := scene.options()
	o.Log = slog.New(slog.NewTextHandler(&said, nil))
	s := serve(t, o)
	a := s.ask(t, "POST", "/urgent", "port=1-2.1&on=yes", "Origin", s.origin)
	if a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, "secret") {
		t.Errorf("%s: %s", a.Status, a.body)
	}
	s.stop()
	if !strings.Contains(said.String(), "secret.db") {
		t.Errorf("the log does not say why: %s", said.String())
	}
}
