package kiosk

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestOnlyLoopbackIsListenedOnUnlessAllowed(t *testing.T) {
	o := newScene(idle()).options()
	for address, good := range map[string]bool{
		"": true, "127.0.0.1:7081": true, "[::1]:0": true, "127.8.9.1:80": true, "localhost:7081": true, "[::ffff:127.0.0.1]:1": true,
		":7081": false, "0.0.0.0:7081": false, "[::]:7081": false, "192.168.1.5:7081": false, "dock.example:7081": false, "localhost.example:1": false, "127.0.0.1": false, "10.0.0.1:0": false,
	} {
		o.Address = address
		_, err := New(o)
		if (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
		if !good && err != nil && strings.Contains(address, ":") && !strings.Contains(err.Error(), "no login") {
			t.Errorf("%q: the refusal does not say why: %v", address, err)
		}
	}
	o.Address, o.AllowNetwork = "0.0.0.0:7081", true
	if _, err := New(o); err != nil {
		t.Error(err)
	}
	// "localhost" that leads elsewhere is found out after listening.
	o = newScene(idle()).options()
	o.Address = "localhost:0"
	o.Listen = func(context.Context, string) (net.Listener, error) { return elsewhere{}, nil }
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("Run on a foreign address: %v", err)
	}
}

// elsewhere is a listener on an address that others can reach.
type elsewhere struct{}

func (elsewhere) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (elsewhere) Close() error              { return nil }
func (elsewhere) Addr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7081} }

func TestRunSaysThatThePortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := newScene(idle()).options()
	o.Address = taken.Addr().String()
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Run(t.Context()); err == nil || !strings.Contains(err.Error(), o.Address) {
		t.Errorf("Run on a port that is taken: %v", err)
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	s := serve(t, newScene(busy()).options())
	want := map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": contentPolicy,
	}
	for _, route := range []struct{ method, path string }{
		{"GET", "/"}, {"HEAD", "/"}, {"GET", "/nothing"}, {"GET", "/../../etc/passwd"}, {"POST", "/urgent"}, {"POST", "/"}, {"DELETE", "/urgent"},
		{"GET", "/static/none/face.css"}, {"GET", "/static/" + s.kiosk.assets.release + "/doc.go"}, {"TRACE", "/"}, {"OPTIONS", "/urgent"},
	} {
		a := s.ask(t, route.method, route.path, "")
		for name, value := range want {
			if got := a.Header.Get(name); got != value {
				t.Errorf("%s %s: %s is %q, want %q", route.method, route.path, name, got, value)
			}
		}
		if a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s: %v", route.method, route.path, a.Header)
		}
	}
	for _, forbidden := range []string{"unsafe", "*", "http:", "data:", "blob:"} {
		if strings.Contains(contentPolicy, forbidden) {
			t.Errorf("the content policy allows %s", forbidden)
		}
	}
}

func TestThePageHasNothingInlineAndNothingForeign(t *testing.T) {
	s := serve(t, newScene(trouble()).options())
	page := s.ask(t, "GET", "/", "")
	if page.StatusCode != http.StatusOK {
		t.Fatal(page.Status)
	}
	for _, forbidden := range []string{"<style", " style=", "javascript:", " onclick", " onload", "http://", "https://", "//cdn"} {
		if strings.Contains(page.body, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	if strings.Count(page.body, "<script") != 1 || !strings.Contains(page.body, `<script type="module" src="/static/`) {
		t.Error("the page has another script than its own module")
	}
	for _, name := range []string{"face.css", "tile.css", "live.js", "mark.svg"} {
		a := s.ask(t, "GET", "/static/"+s.kiosk.assets.release+"/"+name, "")
		if a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s, %s", name, a.Status, a.Header.Get("Cache-Control"))
		}
	}
}

// foreign are requests of others: name-value pairs of headers, "Host" among them.
func foreign(own string) map[string][]string {
	return map[string][]string{
		"rebound name":           {"Host", "evil.example", "Sec-Fetch-Site", "same-origin", "Origin", "http://evil.example"},
		"rebound name and port":  {"Host", "evil.example:7081", "Origin", "http://evil.example:7081"},
		"name that begins so":    {"Host", "127.0.0.1.evil.example", "Origin", "http://127.0.0.1.evil.example"},
		"localhost below":        {"Host", "localhost.evil.example", "Origin", "http://localhost.evil.example"},
		"address of the network": {"Host", "192.168.1.5:7081", "Origin", "http://192.168.1.5:7081"},
		"no address":             {"Host", "0.0.0.0:7081", "Origin", "http://0.0.0.0:7081"},
		"cross-site":             {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"cross-site, no origin":  {"Sec-Fetch-Site", "cross-site"},
		"same-site":              {"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"},
		"lies about one":         {"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:1"},
		"lies about the other":   {"Sec-Fetch-Site", "cross-site", "Origin", own},
		"twice":                  {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site", "Origin", own},
		"two origins":            {"Origin", own, "Origin", "http://evil.example"},
	}
}

func TestNoOtherSiteCanPressUrgent(t *testing.T) {
	scene := newScene(busy())
	s := serve(t, scene.options())
	cases := foreign(s.origin)
	cases["null origin"] = []string{"Origin", "null"}
	cases["other port"] = []string{"Origin", "http://127.0.0.1:1"}
	cases["other scheme"] = []string{"Origin", strings.Replace(s.origin, "http:", "https:", 1)}
	cases["typed by hand"] = []string{"Sec-Fetch-Site", "none"}
	cases["nothing said"] = nil
	cases["longer origin"] = []string{"Origin", s.origin + ".evil.example"}
	for name, headers := range cases {
		a := s.ask(t, "POST", "/urgent", "port=1-2.1&on=yes", headers...)
		if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s: %s", name, a.Status)
		}
	}
	if got := scene.presses(); len(got) != 0 {
		t.Fatalf("others pressed: %q", got)
	}
	port := s.origin[strings.LastIndex(s.origin, ":"):]
	for i, headers := range [][]string{
		{"Sec-Fetch-Site", "same-origin", "Origin", s.origin}, {"Sec-Fetch-Site", "same-origin"}, {"Origin", s.origin},
		{"Host", "localhost" + port, "Origin", "http://localhost" + port}, {"Host", "LOCALHOST" + port, "Origin", "http://localhost" + port}, {"Host", "[::1]" + port, "Origin", "http://[::1]" + port},
	} {
		if a := s.ask(t, "POST", "/urgent", "port=1-2.1&on=yes", headers...); a.StatusCode != http.StatusNoContent {
			t.Errorf("own page with %q: %s", headers, a.Status)
		}
		if got := scene.presses(); len(got) != i+1 {
			t.Errorf("own page with %q: pressed %d times, want %d", headers, len(got), i+1)
		}
	}
}

func TestNoOtherSiteCanReadThePage(t *testing.T) {
	s := serve(t, newScene(busy()).options())
	for name, headers := range foreign(s.origin) {
		if name == "lies about one" {
			continue // reading is decided by Host and Sec-Fetch-Site
		}
		for _, path := range []string{"/", "/live"} {
			a := s.ask(t, "GET", path, "", headers...)
			if a.StatusCode == http.StatusOK || strings.Contains(a.body, "Jonah Reyes") {
				t.Errorf("%s: GET %s: %s", name, path, a.Status)
			}
		}
	}
	for name, headers := range map[string][]string{
		"typed": {"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		"link":  {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		"own":   {"Sec-Fetch-Site", "same-origin"}, "program": nil,
	} {
		if a := s.ask(t, "GET", "/", "", headers...); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, a.Status)
		}
	}
	if a := s.ask(t, "GET", "/", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"); a.StatusCode != http.StatusForbidden {
		t.Errorf("in a frame of another site: %s", a.Status)
	}
}

func TestOnTheNetworkOnlyAddressesAndOwnNamesAreAnswered(t *testing.T) {
	o := newScene(busy()).options()
	o.AllowNetwork, o.Names = true, []string{"dock.station.example"}
	s := serve(t, o)
	for host, good := range map[string]bool{"dock.station.example:7081": true, "192.168.1.5:7081": true, "localhost": true, "evil.example": false, "dock.station.example.evil": false} {
		if a := s.ask(t, "GET", "/", "", "Host", host); (a.StatusCode == http.StatusOK) != good {
			t.Errorf("called %s: %s", host, a.Status)
		}
	}
}
