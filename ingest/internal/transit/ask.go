package transit

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	maxAnswer = 64 << 10
	patience  = 20 * time.Second // for one answer, from the name to its last byte
)

var errDenied = errors.New("permission denied: the token is wrong or has expired, its policy does not allow this, or there is no key of that name")

// ask POSTs order to one endpoint of the engine and decodes the answer. The plain
// texts named are in no error.
func (s Service) ask(verb, key string, token []byte, order, answer any, plain ...[]byte) error {
	if err := s.Check(); err != nil {
		return err
	}
	if !keyName.MatchString(key) {
		return fmt.Errorf("%.80q is no name of a key in a transit service: letters, digits, '.', '-' and '_', 64 at most", key)
	}
	err := s.post("/v1/"+s.Mount+"/"+verb+"/"+key, token, order, answer, plain)
	if err != nil {
		return s.failed(key, err)
	}
	return nil
}

func (s Service) post(path string, token []byte, order, answer any, plain [][]byte) error {
	if !tokenText.Match(token) {
		return errors.New("the token is no line of visible characters")
	}
	body, err := json.Marshal(order)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(s.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Vault-Token", string(token))
	request.Header.Set("X-Vault-Request", "true") // agents may demand it
	if s.Namespace != "" {
		request.Header.Set("X-Vault-Namespace", s.Namespace)
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer response.Body.Close()
	return read(response, answer, append(plain, token))
}

// read decodes an answer; the secrets are in no error.
func read(response *http.Response, answer any, secrets [][]byte) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	defer clear(text)
	switch code := response.StatusCode; {
	case err != nil:
		return fmt.Errorf("its answer broke off: %w", err)
	case len(text) > maxAnswer:
		return fmt.Errorf("its answer has more than %d bytes", maxAnswer)
	case code == http.StatusNoContent:
		return nil
	case code != http.StatusOK:
		return refusal(response, told(text, secrets))
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return errors.New("its answer is not what a transit service says: is that its address?") // err may quote the root key
	}
	return nil
}

// client asks no proxy, and goes nowhere but where it is sent.
func (s Service) client() (*http.Client, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.Authority != "" {
		text, err := os.ReadFile(s.Authority)
		if err != nil {
			return nil, fmt.Errorf("reading its authority: %w", err)
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", s.Authority)
		}
	}
	return &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{TLSClientConfig: trust, DisableCompression: true, MaxResponseHeaderBytes: maxAnswer},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// unreachable tells why there is no answer.
func unreachable(err error) error {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return fmt.Errorf("its certificate is not trusted: name the CA that it is from in transit_authority: %w", untrusted)
	}
	return fmt.Errorf("it cannot be reached: %w", err)
}

// refusal tells what an answer means that is no success.
func refusal(response *http.Response, words string) error {
	switch code := response.StatusCode; {
	case code == http.StatusForbidden:
		return fmt.Errorf("%w%s", errDenied, words)
	case code == http.StatusServiceUnavailable:
		return fmt.Errorf("it is sealed, or not ready: unseal it%s", words)
	case code == http.StatusNotFound:
		return fmt.Errorf("it has no transit engine there: see transit_url, transit_mount and transit_namespace%s", words)
	case strings.Contains(words, "encryption key not found"):
		return errors.New("it has no key of that name")
	case strings.Contains(words, "authentication failed"):
		return errors.New("it does not open: it was made by another key or for another place, or was changed")
	case code >= 300 && code < 400:
		return errors.New("it sends on to another address, where a token is not taken: name the right one in transit_url")
	default:
		return fmt.Errorf("it answered %d%s", code, words)
	}
}

// told is the service's own words for a refusal, to stand behind ours; nothing where
// they hold one of the secrets, plain or in Base64.
func told(text []byte, secrets [][]byte) string {
	var refused struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(text, &refused) != nil || len(refused.Errors) == 0 {
		return ""
	}
	words := strings.Join(strings.Fields(strings.Join(refused.Errors, "; ")), " ")
	for _, secret := range secrets {
		if strings.Contains(words, string(secret)) || strings.Contains(words, base64.StdEncoding.EncodeToString(secret)) {
			return ""
		}
	}
	return fmt.Sprintf(" (it says %.200q)", words)
}
