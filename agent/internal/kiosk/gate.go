package kiosk

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// contentPolicy lets the page use its own files and nothing else. Markup made
// by scripts must come through the one policy of static/live.js.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types sealdock-bay"

// gate puts the security headers on every answer, and turns away requests that
// call this server by a foreign name or that another site made.
func (k *Kiosk) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // "no-referrer" would make a form's Origin "null"
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()")
		h.Set("Cache-Control", "no-store")
		switch {
		case !k.ours(r.Host):
			k.problem(w, http.StatusMisdirectedRequest, "This is not that address", "Open the bay page by its own address: http://"+DefaultAddress)
		case !allowed(r):
			k.problem(w, http.StatusForbidden, "Refused", "This request came from another site. Open the bay page itself and try again.")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			next.ServeHTTP(w, r)
		}
	})
}

// ours reports whether a Host header is a name of this server. A site that
// resolves its own name to this machine (DNS rebinding) still sends its name.
func (k *Kiosk) ours(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if k.names[strings.ToLower(host)] || isLoopback(host) {
		return true
	}
	_, err := netip.ParseAddr(host) // nobody can make an IP address resolve elsewhere
	return err == nil && k.options.AllowNetwork
}

// allowed decides by who made the request. Reading is refused to scripts and
// pages of other sites (a link may still lead here); changing needs proof that
// our own page asked: every header that browsers send on it must say so, and
// one of them must be there.
func allowed(r *http.Request) bool {
	site, origin := r.Header.Values("Sec-Fetch-Site"), r.Header.Values("Origin")
	if len(site) > 1 || len(origin) > 1 {
		return false
	}
	own := len(site) == 1 && site[0] == "same-origin"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		linked := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
		return len(site) == 0 || own || site[0] == "none" || linked
	}
	if len(site) == 1 && !own {
		return false
	}
	if len(origin) == 1 && !strings.EqualFold(origin[0], "http://"+r.Host) {
		return false
	}
	return len(site)+len(origin) > 0
}

// problem answers with a page of two sentences.
func (k *Kiosk) problem(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := k.pages.ExecuteTemplate(w, "problem", map[string]any{"Title": title, "Text": text, "Status": status}); err != nil {
		k.options.Log.Debug("the bay page's problem was not told", "status", status, "error", err)
	}
}
