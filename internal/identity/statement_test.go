package identity

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/proto/evidence"
)

func TestStatementKeySignsItsPurposeOnly(t *testing.T) {
	types := []string{
		evidence.TypeManifest, evidence.TypeInventory, evidence.TypeRelease, evidence.TypeDockUnlock, evidence.TypeReceipt,
		evidence.TypeCameraCertificate, evidence.TypeCameraTrust, evidence.TypeCameraSettings,
		evidence.TypeCameraProof, evidence.TypeCameraListing, evidence.TypeCameraErase, evidence.TypeFirmware, "text/plain", "", evidence.TypeDerivative,
	}
	for purpose, allowed := range map[Purpose]string{
		PurposeDock:       "yyyynnnnnnnnnnn",
		PurposeReceipt:    "nnnnynnnnnnnnnn",
		PurposeCheckpoint: "nnnnnnnnnnnnnnn",
		PurposeCamera:     "nnnnnyyynnnnnnn",
		PurposeDerivative: "nnnnnnnnnnnnnny",
	} {
		k, err := NewStatementKey(purpose)
		must(t, err)
		for i, payloadType := range types {
			envelope, err := k.Sign(payloadType, []byte("{}"))
			if (err == nil) != (allowed[i] == 'y') {
				t.Errorf("%s key, %q: %v", purpose, payloadType, err)
			}
			if err != nil {
				continue
			}
			if payload, err := envelope.Verify(payloadType, k.Public()); err != nil || string(payload) != "{}" || envelope.Signatures[0].KeyID != k.ID() {
				t.Errorf("%s key, %q: does not verify: %v", purpose, payloadType, err)
			}
		}
	}
	if _, err := NewStatementKey("everything"); err == nil {
		t.Error("a key for everything was made")
	}
}

func TestStatementKeyComesBackForItsPurposeOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "receipt.key")
	k, err := NewStatementKey(PurposeReceipt)
	must(t, err)
	must(t, k.Save(path))
	again, err := LoadStatementKey(path, PurposeReceipt)
	if err != nil || !again.Private().Equal(k.Private()) || again.ID() != k.ID() || again.Purpose() != PurposeReceipt {
		t.Fatalf("another key came back: %v", err)
	}
	for _, purpose := range []Purpose{PurposeDock, PurposeCheckpoint, PurposeCamera, "everything", ""} {
		if _, err := LoadStatementKey(path, purpose); err == nil {
			t.Errorf("loaded as a key for %q", purpose)
		}
	}
	camera, err := NewStatementKey(PurposeCamera)
	must(t, err)
	cameraPath := filepath.Join(t.TempDir(), "camera.key")
	must(t, camera.Save(cameraPath))
	for _, purpose := range []Purpose{PurposeDock, PurposeCheckpoint, PurposeReceipt} {
		if _, err := LoadStatementKey(cameraPath, purpose); err == nil {
			t.Errorf("the cameras' key was loaded as a key for %q", purpose)
		}
	}
	must(t, SaveKey(path, k.Private()))
	if _, err := LoadStatementKey(path, PurposeReceipt); err == nil {
		t.Error("a key without a purpose was loaded")
	}
	tlsKey, err := NewTLSKey()
	must(t, err)
	must(t, savePrivate(path, purposeLine(PurposeReceipt), tlsKey))
	if _, err := LoadStatementKey(path, PurposeReceipt); err == nil || !strings.Contains(err.Error(), "P-256") {
		t.Errorf("an ECDSA key was loaded: %v", err)
	}
	if _, err := LoadTLSKey(path); err != nil {
		t.Errorf("the line before the key is in the way of reading it: %v", err)
	}
}

func TestKeyIDDependsOnPurpose(t *testing.T) {
	public := make([]byte, 32)
	a, b := KeyID(PurposeDock, public), KeyID(PurposeReceipt, public)
	if a == b || !strings.HasPrefix(a, "ed25519:") || len(a) != len("ed25519:")+16 {
		t.Errorf("%q, %q", a, b)
	}
}

func TestEnrolmentTokenComesBack(t *testing.T) {
	a, err := NewAuthority("north", testTime())
	must(t, err)
	text, secret, err := NewEnrolmentToken(a.Certificate())
	must(t, err)
	for _, copied := range []string{text, " " + text + "\r\n"} {
		got, fingerprint, err := ParseEnrolmentToken(copied)
		if err != nil || got != secret || fingerprint != Fingerprint(a.Certificate()) {
			t.Errorf("%q: %v", copied, err)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "prefix": "sdt2" + text[4:], "no prefix": text[5:], "cut": text[:len(text)-1], "longer": text + "0", "upper case": strings.ToUpper(text),
		"no fingerprint": text[:len(text)-65], "line inside": text[:20] + "\n" + text[20:], "padding": strings.Replace(text, ".", "==.", 2), "space inside": text[:9] + " " + text[9:],
	} {
		_, _, err := ParseEnrolmentToken(bad)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), text[5:27]) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}

func FuzzParseEnrolmentToken(f *testing.F) {
	f.Add(formatToken([16]byte{1, 2, 3}, evidence.Digest{4, 5}))
	f.Add("sdt1.AAAA.00")
	f.Add("sdt1..")
	f.Fuzz(func(t *testing.T, text string) {
		secret, fingerprint, err := ParseEnrolmentToken(text)
		if err == nil && formatToken(secret, fingerprint) != strings.TrimSpace(text) {
			t.Errorf("%q is read as another token", text)
		}
	})
}

func FuzzIssueDock(f *testing.F) {
	a, err := NewAuthority("north", testTime())
	must(f, err)
	key, err := NewTLSKey()
	must(f, err)
	request, err := CSR(key, "dock-1")
	must(f, err)
	f.Add(request)
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, request []byte) {
		a.IssueDock(request, "dock-1", testTime())
	})
}
