package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// finding is one of testssl.sh's, as in its flat JSON.
type finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Finding  string `json:"finding"`
}

// exceptions are findings that are argued, by id.
type exceptions struct {
	why map[string]string
	met map[string]bool
}

func readExceptions(text string) (*exceptions, error) {
	e := &exceptions{map[string]string{}, map[string]bool{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, why, ok := strings.Cut(line, ": ")
		if !ok || len(why) < 20 {
			return nil, fmt.Errorf("exceptions.txt: %q wants an id, a colon and why", line)
		}
		e.why[id] = why
	}
	return e, nil
}

// unused are those that no scan met.
func (e *exceptions) unused() (all []string) {
	for id := range e.why {
		if !e.met[id] {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// verdict is what one scanner's look came to.
type verdict struct {
	Looked   int      // things that it looked at
	Excepted []string // findings that are argued
	Bad      []string
}

func (v *verdict) bad(format string, args ...any) {
	v.Bad = append(v.Bad, fmt.Sprintf(format, args...))
}

// wanted are findings without which testssl.sh was not at its end, or looked at
// something else: id and how the finding begins.
func wanted(tls12 bool) map[string]string {
	all := map[string]string{
		"SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered", "TLS1_2": "not offered", "TLS1_3": "offered",
		"cipherlist_NULL": "not offered", "cipherlist_aNULL": "not offered", "cipherlist_EXPORT": "not offered", "cipherlist_LOW": "not offered",
		"cipherlist_3DES_IDEA": "not offered", "cipherlist_AVERAGE": "not offered", "PFS": "offered", "PFS_ECDHE_curves": "", "cert_keySize": "EC 256", "cert_chain_of_trust": "passed",
		"HSTS_time": "730 days", "heartbleed": "not vulnerable", "CCS": "not vulnerable", "ticketbleed": "", "ROBOT": "not vulnerable", "secure_client_renego": "not vulnerable",
		"CRIME_TLS": "", "BREACH": "not vulnerable", "POODLE_SSL": "not vulnerable", "SWEET32": "", "FREAK": "not vulnerable", "DROWN": "not vulnerable", "LOGJAM": "not vulnerable",
		"BEAST": "not vulnerable", "LUCKY13": "not vulnerable", "RC4": "not vulnerable", "scanTime": "",
	}
	if tls12 {
		all["TLS1_2"] = "offered"
	} else {
		delete(all, "SWEET32") // not looked at where there is TLS 1.3 alone
	}
	return all
}

// judgeTestSSL holds testssl.sh's findings against the bar: nothing that it calls LOW or
// worse, but what is argued.
func judgeTestSSL(text []byte, tls12 bool, argued *exceptions) (v verdict, err error) {
	var all []finding
	if err := json.Unmarshal(text, &all); err != nil {
		return v, fmt.Errorf("reading testssl.sh's findings: %w", err)
	}
	want := wanted(tls12)
	for _, f := range all {
		v.Looked++
		begin, ok := want[f.ID]
		if ok && !strings.HasPrefix(f.Finding, begin) {
			v.bad("%s: %s, want %s", f.ID, f.Finding, begin)
		}
		delete(want, f.ID)
		switch {
		case f.Severity == "OK" || f.Severity == "INFO":
		case argued.why[f.ID] != "":
			argued.met[f.ID] = true
			v.Excepted = append(v.Excepted, f.ID)
		default:
			v.bad("%s (%s): %s", f.ID, f.Severity, f.Finding)
		}
	}
	for id := range want {
		v.bad("%s was not looked at", id)
	}
	slices.Sort(v.Bad)
	return v, nil
}

// scan is what sslscan writes.
type scan struct {
	Test struct {
		Protocols []struct {
			Type    string `xml:"type,attr"`
			Version string `xml:"version,attr"`
			Enabled int    `xml:"enabled,attr"`
		} `xml:"protocol"`
		Renegotiation struct {
			Supported int `xml:"supported,attr"`
		} `xml:"renegotiation"`
		Compression struct {
			Supported int `xml:"supported,attr"`
		} `xml:"compression"`
		Heartbleed []struct {
			Vulnerable int `xml:"vulnerable,attr"`
		} `xml:"heartbleed"`
		Ciphers []struct {
			Version string `xml:"sslversion,attr"`
			Bits    int    `xml:"bits,attr"`
			Name    string `xml:"cipher,attr"`
		} `xml:"cipher"`
		Groups []struct {
			Name string `xml:"name,attr"`
			Bits int    `xml:"bits,attr"`
		} `xml:"group"`
		Certificates []struct {
			Key struct {
				Type string `xml:"type,attr"`
			} `xml:"pk"`
			Expired string `xml:"expired"`
		} `xml:"certificates>certificate"`
	} `xml:"ssltest"`
}

// judgeSSLScan holds what sslscan found against the bar.
func judgeSSLScan(text []byte, tls12 bool) (v verdict, err error) {
	var s scan
	if err := xml.Unmarshal(text, &s); err != nil {
		return v, fmt.Errorf("reading what sslscan found: %w", err)
	}
	t := s.Test
	v.Looked = len(t.Protocols) + len(t.Ciphers) + len(t.Groups) + len(t.Heartbleed) + len(t.Certificates) + 2
	if len(t.Protocols) != 6 || len(t.Ciphers) == 0 || len(t.Groups) == 0 || len(t.Certificates) == 0 {
		v.bad("it did not come to its end: %d protocols, %d ciphers, %d groups", len(t.Protocols), len(t.Ciphers), len(t.Groups))
	}
	for _, p := range t.Protocols {
		on := p.Type == "tls" && (p.Version == "1.3" || p.Version == "1.2" && tls12)
		if (p.Enabled == 1) != on {
			v.bad("%s %s: enabled=%d", p.Type, p.Version, p.Enabled)
		}
	}
	for _, c := range t.Ciphers {
		authenticated := strings.Contains(c.Name, "GCM") || strings.Contains(c.Name, "CHACHA20")
		ephemeral := c.Version == "TLSv1.3" || strings.HasPrefix(c.Name, "ECDHE-ECDSA-")
		if c.Bits < 128 || !authenticated || !ephemeral {
			v.bad("cipher %s of %s", c.Name, c.Version)
		}
	}
	for _, g := range t.Groups {
		if g.Bits < 128 {
			v.bad("group %s with a strength of %d bits", g.Name, g.Bits)
		}
	}
	for _, h := range t.Heartbleed {
		if h.Vulnerable != 0 {
			v.bad("heartbleed")
		}
	}
	for _, c := range t.Certificates {
		if c.Key.Type != "EC" || c.Expired == "true" {
			v.bad("a certificate with a key of kind %s, expired %s", c.Key.Type, c.Expired)
		}
	}
	if t.Renegotiation.Supported != 0 || t.Compression.Supported != 0 {
		v.bad("renegotiation %d, compression %d", t.Renegotiation.Supported, t.Compression.Supported)
	}
	return v, nil
}
