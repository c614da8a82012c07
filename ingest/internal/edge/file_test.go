package edge

import (
	"bytes"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const year = 365 * 24 * time.Hour

// TestAPairIsTakenWhenItsFilesChange in the three ways in which tools replace them.
func TestAPairIsTakenWhenItsFilesChange(t *testing.T) {
	rename := func(d *desk, certificate, key []byte, _ string) {
		for path, text := range map[string][]byte{d.cert: certificate, d.key: key} {
			d.must(os.WriteFile(path+".new", text, 0o600))
			d.must(os.Rename(path+".new", path))
		}
	}
	swap := func(d *desk, link, target string) {
		d.must(os.Symlink(target, link+".new"))
		d.must(os.Rename(link+".new", link))
	}
	for name, replace := range map[string]func(d *desk, certificate, key []byte, turn string){
		"whole files": rename,
		"certbot": func(d *desk, certificate, key []byte, turn string) { // live/ links to archive/, file by file
			for path, text := range map[string][]byte{d.cert: certificate, d.key: key} {
				archive := filepath.Join(d.dir, filepath.Base(path)+turn)
				d.must(os.WriteFile(archive, text, 0o600))
				swap(d, path, archive)
			}
		},
		"a mounted secret": func(d *desk, certificate, key []byte, turn string) { // ..data links to a folder, which is swapped
			folder := filepath.Join(d.dir, "..turn"+turn)
			d.must(os.Mkdir(folder, 0o755))
			d.must(os.WriteFile(filepath.Join(folder, "tls.crt"), certificate, 0o644))
			d.must(os.WriteFile(filepath.Join(folder, "tls.key"), key, 0o440))
			swap(d, filepath.Join(d.dir, "..data"), folder)
			if turn == "1" {
				swap(d, d.cert, filepath.Join(d.dir, "..data", "tls.crt"))
				swap(d, d.key, filepath.Join(d.dir, "..data", "tls.key"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			first, key := d.pair(year)
			replace(d, first, key, "1")
			d.open()
			if got := d.shows("evidence.example.org"); got != serial(d, first) {
				t.Fatalf("at the start %s is shown", got)
			}
			d.tick()
			second, key := d.pair(year)
			replace(d, second, key, "2")
			d.tick()
			if got := d.shows("evidence.example.org"); got != serial(d, second) {
				t.Errorf("%s is shown after the change", got)
			}
			d.open()
			d.tick()
			d.tick()
			if n := d.events(evidence.EventCertificateTaken); n != 2 {
				t.Errorf("%d events of two certificates and a restart", n)
			}
			if len(d.alerts()) != 0 {
				t.Errorf("%v", d.alerts())
			}
		})
	}
}

// TestAReplacementThatIsOfNoUseIsNotTaken: the former one is shown on, people are told
// what is wrong, once, and no more when it is mended.
func TestAReplacementThatIsOfNoUseIsNotTaken(t *testing.T) {
	d := newDesk(t)
	good, key := d.pair(year)
	other, otherKey := d.pair(year)
	ended, endedKey := d.pair(time.Minute)
	late, lateKey := d.pair(year, func(c *x509.Certificate) { c.NotBefore = d.now.Add(time.Hour) })
	strange, strangeKey := d.pair(year, func(c *x509.Certificate) { c.DNSNames = []string{"www.example.org"} })
	nameless, namelessKey := d.pair(year, func(c *x509.Certificate) { c.DNSNames = nil })
	client, clientKey := d.pair(year, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	leaf, between, chainKey := d.chainOf()
	weak := func(signer any, public any) []byte {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: d.now, NotAfter: d.now.Add(year), DNSNames: []string{"evidence.example.org"}}
		der, err := x509.CreateCertificate(rand.Reader, c, c, public, signer)
		d.must(err)
		return certPEM(der)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	d.must(err)
	cases := map[string]struct {
		certificate, key []byte
		words            string
	}{
		"the key of another":        {good, otherKey, "do not make a pair"},
		"no PEM":                    {[]byte("hello"), key, "do not make a pair"},
		"cut off":                   {good[:len(good)/2], key, "do not make a pair"},
		"empty":                     {nil, nil, "do not make a pair"},
		"swapped":                   {key, good, "do not make a pair"},
		"ended":                     {ended, endedKey, "ended at 2026-03-01 11:01"},
		"not yet":                   {late, lateKey, "holds only from 2026-03-01 13:00"},
		"another name":              {strange, strangeKey, "is for www.example.org, and for none of public_names: evidence.example.org"},
		"no name":                   {nameless, namelessKey, "no name at all"},
		"a client's":                {client, clientKey, "not for servers"},
		"a chain out of order":      {certPEM(leaf, d.pki.Certificate.Raw, between), chainKey, "chain is not in order"},
		"a key for no browser":      {weak(edKey, edPublic), d.keyPEM(edKey), "Ed25519"},
		"a key under a passphrase":  {good, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), "under a passphrase"},
		"more than a file may have": {bytes.Repeat([]byte("x"), maxPair+1), key, "longer than"},
	}
	if !fips140.Enforced() { // which makes no such key
		short, err := rsa.GenerateKey(rand.Reader, 1024)
		d.must(err)
		cases["a short key"] = struct {
			certificate, key []byte
			words            string
		}{weak(short, short.Public()), d.keyPEM(short), "RSA with 1024 bits"}
	}
	d.put(other, otherKey)
	d.open()
	want := d.shows("")
	for name, c := range cases {
		d.put(c.certificate, c.key)
		d.tick() // both files are never replaced in one act
		if len(d.alerts()) != 0 {
			t.Errorf("%s: told at first sight", name)
		}
		d.tick()
		d.tick()
		a, told := d.alerts()[replacement]
		if !told || a.Severity != catalog.SeverityWarning || !strings.Contains(a.Message, c.words) || !strings.Contains(a.Message, "The former one is shown on") {
			t.Errorf("%s: %q, want words like %q", name, a.Message, c.words)
		}
		if a.Count != 1 || d.shows("") != want || !strings.Contains(d.State().Fault, c.words) {
			t.Errorf("%s: told %d times; %s is shown", name, a.Count, d.shows(""))
		}
		d.put(other, otherKey)
		d.tick()
		if len(d.alerts()) != 0 || d.State().Fault != "" {
			t.Errorf("%s: mended, and %v", name, d.alerts())
		}
	}
	harm := map[string]func(){
		"is gone":     func() { d.must(os.Remove(d.cert)) },
		"is a folder": func() { d.must(os.Remove(d.key)); d.must(os.Mkdir(d.key, 0o700)) },
		"is for all":  func() { d.must(os.Chmod(d.key, 0o604)) },
		"leads nowhere": func() {
			d.must(os.Remove(d.cert))
			d.must(os.Symlink(filepath.Join(d.dir, "nothing"), d.cert))
		},
	}
	for name, act := range harm {
		act()
		d.tick()
		d.tick()
		if d.alerts()[replacement].Message == "" || d.shows("") != want {
			t.Errorf("%s: %v", name, d.alerts())
		}
		d.put(other, otherKey)
		d.tick()
	}
	if n := d.events(evidence.EventCertificateTaken); n != 1 {
		t.Errorf("%d events of one certificate", n)
	}
}

// TestAPairIsReplacedFileByFile: what lies between the two is nothing to tell of.
func TestAPairIsReplacedFileByFile(t *testing.T) {
	d := newDesk(t)
	first, firstKey := d.pair(year)
	d.put(first, firstKey)
	d.open()
	d.tick()
	second, secondKey := d.pair(year)
	d.put(second, firstKey)
	d.tick()
	if d.shows("") != serial(d, first) {
		t.Error("half of a pair is shown")
	}
	d.put(second, secondKey)
	d.tick()
	if d.shows("") != serial(d, second) || d.events(evidence.EventAlertRaised) != 0 {
		t.Errorf("%s is shown, %v", d.shows(""), d.alerts())
	}
}

// TestAServerStartsWithoutAPair: docks come in, browsers are shown the own certificate
// and people are told; an operator who puts it right need not start anything again.
func TestAServerStartsWithoutAPair(t *testing.T) {
	d := newDesk(t)
	d.open()
	d.must(d.tell(t.Context(), true))
	if a := d.alerts()[replacement]; a.Severity != catalog.SeverityUrgent || d.shows("evidence.example.org") != d.own.Leaf.SerialNumber.String() {
		t.Errorf("%+v", a)
	}
	leaf, between, key := d.chainOf()
	d.put(certPEM(leaf, between), key)
	d.tick()
	if d.shows("evidence.example.org") != "77" || len(d.alerts()) != 0 {
		t.Errorf("%s is shown, %v", d.shows(""), d.alerts())
	}
	// A name inside the house, which the agency's PKI does not certify, goes on.
	if d.shows("localhost") != d.own.Leaf.SerialNumber.String() || d.shows("www.example.org") != "77" || d.shows("") != "77" {
		t.Error("the wrong certificate for a name")
	}
	if s := d.State(); s.Source != "file" || len(s.Bare) != 1 || s.Bare[0] != "10.0.0.7" || s.Near || s.Fault != "" {
		t.Errorf("%+v", s)
	}
}

// TestPeopleAreToldOfTheEndThreeTimes: 30, 14 and 3 days before it, and of the end.
func TestPeopleAreToldOfTheEndThreeTimes(t *testing.T) {
	d := newDesk(t)
	certificate, key := d.pair(year)
	d.put(certificate, key)
	d.open()
	end := d.now.Add(year - time.Hour)
	for _, c := range []struct {
		left     time.Duration
		about    string
		severity catalog.Severity
	}{
		{31 * 24 * time.Hour, "", ""}, {29 * 24 * time.Hour, "30 days", catalog.SeverityNotice}, {15 * 24 * time.Hour, "30 days", catalog.SeverityNotice},
		{14 * 24 * time.Hour, "14 days", catalog.SeverityWarning}, {2 * 24 * time.Hour, "3 days", catalog.SeverityUrgent}, {-time.Hour, "ended", catalog.SeverityUrgent},
	} {
		d.now = end.Add(-c.left)
		d.tick()
		d.tick()
		all := d.alerts()
		if c.about == "" && len(all) != 0 || c.about != "" && (len(all) != 1 || all[c.about].Severity != c.severity || !strings.Contains(all[c.about].Message, "2027-03-01 11:00 UTC")) {
			t.Errorf("%v before the end: %v", c.left, all)
		}
		if d.shows("") != serial(d, certificate) {
			t.Errorf("%v before the end it is not shown", c.left)
		}
	}
	if n := d.events(evidence.EventAlertRaised); n != 4 {
		t.Errorf("%d events", n)
	}
	certificate, key = d.pair(year)
	d.put(certificate, key)
	d.tick()
	if d.shows("") != serial(d, certificate) || len(d.alerts()) != 0 {
		t.Errorf("renewed, and %v", d.alerts())
	}
}

// TestAShortLifeIsNoAlert: what is replaced in time by custom, at a third of its life, is
// not told of before.
func TestAShortLifeIsNoAlert(t *testing.T) {
	for _, life := range []time.Duration{6 * 24 * time.Hour, 45 * 24 * time.Hour, 90 * 24 * time.Hour, 398 * 24 * time.Hour} {
		d := newDesk(t)
		certificate, key := d.pair(life)
		d.put(certificate, key)
		d.open()
		end := d.now.Add(life - time.Hour)
		d.now = end.Add(-min(life/3, 31*24*time.Hour))
		d.tick()
		if len(d.alerts()) != 0 {
			t.Errorf("a life of %v: %v", life, d.alerts())
		}
		d.now = end.Add(-life / 31)
		d.tick()
		if a := d.alerts(); len(a) != 1 || a["3 days"].Severity != catalog.SeverityUrgent && life < 93*24*time.Hour {
			t.Errorf("a life of %v, near its end: %v", life, a)
		}
	}
}
