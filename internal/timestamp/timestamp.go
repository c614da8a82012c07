package timestamp

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // an ESSCertID of RFC 2634 is a SHA-1; it only says which certificate is meant
	"crypto/sha256"
	_ "crypto/sha512" // tokens are signed over SHA-384 and SHA-512 too
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/smallstep/pkcs7"
)

// MaxToken is the longest token, or response, in bytes.
const MaxToken = 64 << 10

var (
	// ErrToken means that a token does not show what it should.
	ErrToken = errors.New("the time-stamp token does not hold")
	// ErrRefused means that the authority gave no token.
	ErrRefused = errors.New("the time-stamp authority gave no token")
)

var (
	oidTSTInfo      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}  // RFC 3161 section 2.4.2
	oidSigningCert  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12} // RFC 2634 section 5.4
	oidSigningCert2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47} // RFC 5035 section 3
	oidExtKeyUsage  = asn1.ObjectIdentifier{2, 5, 29, 37}                       // RFC 5280 section 4.2.1.12
)

// hashes are the hash functions that a signature, or a certificate's name, may use.
var hashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{pkcs7.OIDDigestAlgorithmSHA256, crypto.SHA256},
	{pkcs7.OIDDigestAlgorithmSHA384, crypto.SHA384},
	{pkcs7.OIDDigestAlgorithmSHA512, crypto.SHA512},
}

func hashOf(oid asn1.ObjectIdentifier) (crypto.Hash, bool) {
	for _, h := range hashes {
		if h.oid.Equal(oid) {
			return h.hash, true
		}
	}
	return 0, false
}

// The structures of RFC 3161 section 2.4.
type (
	messageImprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Hash      []byte
	}
	request struct {
		Version      int
		Imprint      messageImprint
		Nonce        *big.Int
		Certificates bool
	}
	response struct {
		Status statusInfo
		Token  asn1.RawValue `asn1:"optional"`
	}
	statusInfo struct {
		Status   int
		Text     []string       `asn1:"optional"`
		FailInfo asn1.BitString `asn1:"optional"`
	}
	accuracy struct {
		Seconds int `asn1:"optional"`
		Millis  int `asn1:"optional,tag:0"`
		Micros  int `asn1:"optional,tag:1"`
	}
	tstInfo struct {
		Version    int
		Policy     asn1.ObjectIdentifier
		Imprint    messageImprint
		Serial     *big.Int
		Time       time.Time     `asn1:"generalized"`
		Accuracy   accuracy      `asn1:"optional"`
		Ordering   bool          `asn1:"optional"`
		Nonce      *big.Int      `asn1:"optional"`
		Authority  asn1.RawValue `asn1:"optional,explicit,tag:0"`
		Extensions asn1.RawValue `asn1:"optional,tag:1"`
	}
	// essCertID is of RFC 2634 and, with an algorithm, of RFC 5035.
	essCertID struct {
		Hash   []byte
		Issuer asn1.RawValue `asn1:"optional"`
	}
	essCertID2 struct {
		Algorithm pkix.AlgorithmIdentifier `asn1:"optional"`
		Hash      []byte
		Issuer    asn1.RawValue `asn1:"optional"`
	}
	signingCert struct {
		Certs    []essCertID
		Policies asn1.RawValue `asn1:"optional"`
	}
	signingCert2 struct {
		Certs    []essCertID2
		Policies asn1.RawValue `asn1:"optional"`
	}
)

// Request returns a request (application/timestamp-query) for a token over a
// SHA-256, with the certificates that it takes to check it. nonce is random and
// positive.
func Request(digest [sha256.Size]byte, nonce *big.Int) ([]byte, error) {
	return asn1.Marshal(request{1, messageImprint{pkix.AlgorithmIdentifier{Algorithm: pkcs7.OIDDigestAlgorithmSHA256, Parameters: asn1.NullRawValue}, digest[:]}, nonce, true})
}

// ParseResponse returns the token in a response (application/timestamp-reply). The
// error is ErrRefused where the authority says so, else ErrToken.
func ParseResponse(der []byte) (token []byte, err error) {
	if len(der) > MaxToken {
		return nil, fmt.Errorf("%w: the response has %d bytes, at most %d are taken", ErrToken, len(der), MaxToken)
	}
	var r response
	if rest, err := asn1.Unmarshal(der, &r); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("%w: this is no response of RFC 3161 (%w)", ErrToken, orTrailing(err))
	}
	if r.Status.Status != 0 && r.Status.Status != 1 { // granted, granted with modifications
		return nil, fmt.Errorf("%w: status %d, %q", ErrRefused, r.Status.Status, r.Status.Text)
	}
	if len(r.Token.FullBytes) == 0 {
		return nil, fmt.Errorf("%w: the response says granted and holds none", ErrToken)
	}
	return r.Token.FullBytes, nil
}

func orTrailing(err error) error {
	if err == nil {
		return errors.New("there is something behind it")
	}
	return err
}

// Token is what a token says.
type Token struct {
	Time     time.Time     // UTC
	Accuracy time.Duration // either way; 0: the token does not say
	Serial   *big.Int
	Policy   string // object identifier
	Nonce    *big.Int
	Signer   *x509.Certificate
	Trusted  error // nil: the signer leads to one of the roots
}

// Authority is the signer's name.
func (t *Token) Authority() string {
	if cn := t.Signer.Subject.CommonName; cn != "" {
		return cn
	}
	return t.Signer.Subject.String()
}

// Verify checks a token (DER of its CMS) over a SHA-256. roots are the authorities
// that the caller trusts, as of the time in the token; nil for none. The error is
// ErrToken.
func Verify(token []byte, digest [sha256.Size]byte, roots *x509.CertPool) (t *Token, err error) {
	defer func() {
		if p := recover(); p != nil { // tokens come from anybody, and the library is not ours
			t, err = nil, fmt.Errorf("%w: it cannot be read (%v)", ErrToken, p)
		}
	}()
	t, intermediates, err := verify(token, digest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	t.Trusted = errors.New("no authority was named")
	if roots != nil {
		_, t.Trusted = t.Signer.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: t.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
	}
	return t, nil
}

func verify(token []byte, digest [sha256.Size]byte) (*Token, *x509.CertPool, error) {
	if len(token) > MaxToken {
		return nil, nil, fmt.Errorf("it has %d bytes, at most %d are taken", len(token), MaxToken)
	}
	var whole asn1.RawValue
	if rest, err := asn1.Unmarshal(token, &whole); err != nil || len(rest) > 0 {
		return nil, nil, fmt.Errorf("it is not DER (%w)", orTrailing(err))
	}
	cms, err := pkcs7.Parse(token)
	if err != nil {
		return nil, nil, err
	}
	if len(cms.Signers) != 1 || len(cms.Signers[0].AuthenticatedAttributes) == 0 {
		return nil, nil, fmt.Errorf("it has %d signers, or nothing that they signed: one is taken", len(cms.Signers))
	}
	if _, ok := hashOf(cms.Signers[0].DigestAlgorithm.Algorithm); !ok {
		return nil, nil, fmt.Errorf("its signature is over the hash %v: SHA-256, SHA-384 and SHA-512 are taken", cms.Signers[0].DigestAlgorithm.Algorithm)
	}
	if err := cms.Verify(); err != nil {
		return nil, nil, err
	}
	// RFC 5652 section 11.1: the type is signed with the contents.
	var kind asn1.ObjectIdentifier
	if err := cms.UnmarshalSignedAttribute(pkcs7.OIDAttributeContentType, &kind); err != nil || !kind.Equal(oidTSTInfo) {
		return nil, nil, errors.New("what is signed in it is no time stamp")
	}
	signer := cms.GetOnlySigner()
	if err := checkSigner(cms, signer); err != nil {
		return nil, nil, err
	}
	var info tstInfo
	if rest, err := asn1.Unmarshal(cms.Content, &info); err != nil || len(rest) > 0 {
		return nil, nil, fmt.Errorf("its contents cannot be read (%w)", orTrailing(err))
	}
	switch {
	case info.Version != 1:
		return nil, nil, fmt.Errorf("its version is %d", info.Version)
	case len(info.Extensions.FullBytes) > 0:
		return nil, nil, errors.New("it carries extensions, whose meaning is not known here")
	case !info.Imprint.Algorithm.Algorithm.Equal(pkcs7.OIDDigestAlgorithmSHA256) || !bytes.Equal(info.Imprint.Hash, digest[:]):
		return nil, nil, errors.New("it is over another text")
	}
	t := &Token{Time: info.Time.UTC(), Serial: info.Serial, Policy: info.Policy.String(), Nonce: info.Nonce, Signer: signer}
	if a := info.Accuracy; a.Seconds >= 0 && a.Seconds < 1<<20 && a.Millis >= 0 && a.Millis < 1000 && a.Micros >= 0 && a.Micros < 1000 {
		t.Accuracy = time.Duration(a.Seconds)*time.Second + time.Duration(a.Millis)*time.Millisecond + time.Duration(a.Micros)*time.Microsecond
	}
	intermediates := x509.NewCertPool()
	for _, c := range cms.Certificates {
		intermediates.AddCert(c)
	}
	return t, intermediates, nil
}

// checkSigner demands a certificate for time stamps and nothing else (RFC 3161
// section 2.3), which the signed attributes name (RFC 5816 section 2.2.1).
func checkSigner(cms *pkcs7.PKCS7, signer *x509.Certificate) error {
	if signer == nil {
		return errors.New("the certificate of its signer is not in it")
	}
	critical := slices.ContainsFunc(signer.Extensions, func(e pkix.Extension) bool { return e.Critical && e.Id.Equal(oidExtKeyUsage) })
	if !critical || !slices.Equal(signer.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}) || len(signer.UnknownExtKeyUsage) > 0 {
		return fmt.Errorf("the certificate of %s is not one for time stamps alone", signer.Subject)
	}
	var second signingCert2
	if err := cms.UnmarshalSignedAttribute(oidSigningCert2, &second); err == nil && len(second.Certs) > 0 {
		hash := crypto.SHA256
		if oid := second.Certs[0].Algorithm.Algorithm; oid != nil {
			var ok bool
			if hash, ok = hashOf(oid); !ok {
				return fmt.Errorf("it names its certificate by the hash %v", oid)
			}
		}
		return named(signer, hash, second.Certs[0].Hash)
	}
	var first signingCert
	if err := cms.UnmarshalSignedAttribute(oidSigningCert, &first); err != nil || len(first.Certs) == 0 {
		return errors.New("it does not name the certificate that signed it")
	}
	return named(signer, crypto.SHA1, first.Certs[0].Hash)
}

func named(c *x509.Certificate, hash crypto.Hash, sum []byte) error {
	h := hash.New()
	h.Write(c.Raw)
	if !bytes.Equal(h.Sum(nil), sum) {
		return errors.New("it names another certificate than the one that signed it")
	}
	return nil
}
