package auth

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// DeviceCookieName names the cookie by which a device is known again. It lets
// nobody in.
const DeviceCookieName = "__Host-sealdock-device"

const (
	devicePrefix = "sdd1."
	deviceLife   = 400 * 24 * time.Hour // the longest that browsers keep a cookie (RFC 6265bis section 5.5)
	keptPlaces   = 50                   // of each kind, for each user
)

// Browser is what a browser brings to the door.
type Browser struct {
	Session string // token of a former session, which ends
	Device  string // token of the device, see Device
}

// subkey derives a key for one purpose from the pepper.
func (s *Service) subkey(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, s.pepper, nil, "sealdock/"+purpose+"/v1", 32)
}

func (s *Service) signDevice(id []byte) ([]byte, error) {
	key, err := s.subkey("device")
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(string(s.agency) + "\n"))
	mac.Write(id)
	return mac.Sum(nil), nil
}

// newDevice draws a device's token.
func (s *Service) newDevice() (string, error) {
	id := make([]byte, 16)
	rand.Read(id)
	mac, err := s.signDevice(id)
	return devicePrefix + base64.RawURLEncoding.EncodeToString(append(id, mac...)), err
}

// deviceOf returns under what a device is known; "" for a token that this
// server did not sign.
func (s *Service) deviceOf(token string) (string, error) {
	text, ok := strings.CutPrefix(token, devicePrefix)
	if !ok || len(text) != 64 {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 48 {
		return "", nil
	}
	mac, err := s.signDevice(b[:16])
	if err != nil || !hmac.Equal(mac, b[16:]) {
		return "", err
	}
	return evidence.SHA256(b[:16]).String(), nil
}

// place is from where somebody signs in.
type place struct {
	device, network string // "": not to be told
	newDevice       bool
	newNetwork      bool
}

func (p place) new() bool { return p.newDevice || p.newNetwork }

func (p place) text() string {
	switch {
	case p.newDevice && p.newNetwork:
		return "device and network"
	case p.newDevice:
		return "device"
	case p.newNetwork:
		return "network"
	}
	return ""
}

// placeOf finds out what of a place is new for a user. A command line has no
// device, and is new each time.
func (s *Service) placeOf(ctx context.Context, r *sqldb.Reader, user string, b Browser, from Origin) (p place, err error) {
	if p.device, err = s.deviceOf(b.Device); err != nil {
		return p, err
	}
	p.network = widerNetwork(from.Address)
	p.newDevice, p.newNetwork = true, p.network != ""
	if p.device != "" {
		known, err := r.KnownPlace(ctx, user, catalog.PlaceDevice, p.device)
		if err != nil {
			return p, err
		}
		p.newDevice = !known
	}
	if p.network != "" {
		known, err := r.KnownPlace(ctx, user, catalog.PlaceNetwork, p.network)
		if err != nil {
			return p, err
		}
		p.newNetwork = !known
	}
	return p, nil
}

// notePlace remembers where somebody signed in.
func (s *Service) notePlace(ctx context.Context, tx *sqldb.Tx, user, device string, from Origin) error {
	now := s.clock()
	known, err := s.deviceOf(device)
	if err != nil {
		return err
	}
	if known != "" {
		if err := tx.NotePlace(ctx, user, catalog.PlaceDevice, known, now, keptPlaces); err != nil {
			return err
		}
	}
	if network := widerNetwork(from.Address); network != "" {
		return tx.NotePlace(ctx, user, catalog.PlaceNetwork, network, now, keptPlaces)
	}
	return nil
}

// widerNetwork is what counts as one network that somebody is known from: an
// IPv4 /24 or an IPv6 /48, so that an address that changes within a household or
// an office is nothing new. "" where there is no address.
func widerNetwork(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 24
	if ip.Is6() {
		bits = 48
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// DeviceCookie lets a device be known again.
func DeviceCookie(token string) *http.Cookie {
	return &http.Cookie{Name: DeviceCookieName, Value: token, Path: "/", MaxAge: int(deviceLife / time.Second), Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// BrowserOf returns what the browser of a request brings.
func BrowserOf(r *http.Request) Browser {
	b := Browser{Session: Token(r)}
	if cookies := r.CookiesNamed(DeviceCookieName); len(cookies) == 1 {
		b.Device = cookies[0].Value
	}
	return b
}
