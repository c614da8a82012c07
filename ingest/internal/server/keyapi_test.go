package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// desk is a person at the API over HTTPS.
type desk struct {
	*running
	client *http.Client
	cookie *http.Cookie
	place  byte // of this machine's addresses, 127.0.0.1 first
}

// move goes on from another address: each has few sign-ins at once.
func (d *desk) move() {
	d.place++
	d.client.Transport.(*http.Transport).DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1+d.place)}}).DialContext
	d.client.CloseIdleConnections()
}

func (r *running) desk(who Credentials) *desk {
	r.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(r.authority())
	d := &desk{running: r, client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}}}
	r.t.Cleanup(d.client.CloseIdleConnections)
	r.must(r.config.withAccounts(r.ctx, time.Now, func(people *auth.Service) error {
		token, err := people.SignIn(r.ctx, who.Login, who.Password, "", auth.Origin{Address: "127.0.0.1"})
		d.cookie = auth.Cookie(token)
		return err
	}))
	return d
}

// call asks the API, and reads its answer into v.
func (d *desk) call(method, path, body string, v any) int {
	d.t.Helper()
	code, text := d.ask(method, path, body)
	if v != nil && code == http.StatusOK {
		d.must(json.Unmarshal(text, v))
	}
	return code
}

// download wants an answer that is a file.
func (d *desk) download(path, body string) []byte {
	d.t.Helper()
	code, file := d.ask("POST", path, body)
	if code != http.StatusOK {
		d.t.Fatalf("%s: %d: %s", path, code, file)
	}
	return file
}

func (d *desk) ask(method, path, body string) (int, []byte) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.ctx, method, "https://"+d.ready.HTTPS.String()+path, strings.NewReader(body))
	d.must(err)
	request.AddCookie(d.cookie)
	response, err := d.client.Do(request)
	d.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	d.must(err)
	return response.StatusCode, text
}

func TestAdministratorsRotateKeysFromAfar(t *testing.T) {
	r, d := storing(t)
	r.store(d, d.Record(t, "B.MP4", footage(1000)))
	var listed struct {
		Keys []struct {
			ID      string `json:"id"`
			Newest  bool   `json:"newest"`
			Wrapped int64  `json:"wrapped"`
		} `json:"keys"`
	}
	var done struct {
		Key       string `json:"key"`
		Made      bool   `json:"made"`
		Rewrapped int64  `json:"rewrapped"`
	}
	operator, admin := r.desk(oona), r.desk(alba)
	for path, method := range map[string]string{"/api/v1/keys": "GET", "/api/v1/keys/rotate": "POST"} {
		if code := operator.call(method, path, `{"password":"`+oona.Password+`"}`, nil); code != http.StatusForbidden {
			t.Errorf("an operator at %s: %d", path, code)
		}
	}
	for body, want := range map[string]int{``: 400, `{"password":"x","more":1}`: 400, `{"password":"not hers at all"}`: 403, `{"code":"123456"}`: 403} {
		if code := admin.call("POST", "/api/v1/keys/rotate", body, nil); code != want {
			t.Errorf("%s: %d, want %d", body, code, want)
		}
	}
	if code := admin.call("GET", "/api/v1/keys", "", &listed); code != 200 || len(listed.Keys) != 1 || listed.Keys[0].Wrapped == 0 {
		t.Fatalf("%d: %+v", code, listed)
	}
	wrapped := listed.Keys[0].Wrapped
	if code := admin.call("POST", "/api/v1/keys/rotate", `{"password":"`+alba.Password+`"}`, &done); code != 200 || !done.Made || done.Rewrapped != wrapped {
		t.Errorf("%d: %+v of %d", code, done, wrapped)
	}
	if code := admin.call("GET", "/api/v1/keys", "", &listed); code != 200 || len(listed.Keys) != 2 || !listed.Keys[1].Newest || listed.Keys[1].ID != done.Key || listed.Keys[1].Wrapped != wrapped {
		t.Errorf("%d: %+v", code, listed)
	}
	for _, kind := range []evidence.EventType{evidence.EventKeyGenerated, evidence.EventKeysRewrapped} {
		rows := r.events(kind)
		if len(rows) == 0 || !strings.Contains(string(rows[0].JSON), `"name":"A.MORENO"`) || !strings.Contains(string(rows[0].JSON), `"source":"127.0.0.1"`) {
			t.Errorf("%s does not name who did it: %d events", kind, len(rows))
		}
	}
	r.end()
	if _, found := r.problems(); found != "" {
		t.Error(found)
	}
}

func TestAClipIsMadeByTheAPI(t *testing.T) {
	c := newClipped(t)
	c.employ()
	admin := c.desk(alba)
	path := "/api/v1/items/" + c.original.String() + "/clips"
	for body, want := range map[string]int{
		``: 400, `{"from_us":2000000,"to_us":1000000,"reason":"x"}`: 400, `{"from_us":-1,"to_us":1000000,"reason":"x"}`: 400,
		`{"from_us":1000000,"to_us":2000000,"reason":""}`: 400, `{"from_us":90000000,"to_us":92000000,"reason":"x"}`: 400,
	} {
		if code := admin.call("POST", path, body, nil); code != want {
			t.Errorf("%s: %d, want %d", body, code, want)
		}
	}
	if code := admin.call("POST", "/api/v1/items/nothing/clips", `{"from_us":1000000,"to_us":2000000,"reason":"x"}`, nil); code != http.StatusNotFound {
		t.Errorf("no item: %d", code)
	}
	var made struct {
		ID evidence.EvidenceID `json:"id"`
	}
	if code := admin.call("POST", path, `{"from_us":1000000,"to_us":2500000,"reason":"case 4711"}`, &made); code != 200 {
		t.Fatalf("%d", code)
	}
	item, err := c.catalog().ItemRow(c.ctx, "springfield", made.ID)
	if err != nil || item.State != catalog.StateStored || item.Original != c.original {
		t.Errorf("%+v, %v", item, err)
	}
	var listed struct {
		Items []struct {
			ID       evidence.EvidenceID  `json:"id"`
			Original *evidence.EvidenceID `json:"original"`
		} `json:"items"`
	}
	if code := admin.call("GET", "/api/v1/items?kind=derivative", "", &listed); code != 200 || len(listed.Items) != 1 || listed.Items[0].Original == nil || *listed.Items[0].Original != c.original {
		t.Errorf("%d: %+v", code, listed)
	}
}
