package transit

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const longest = 10 * 365 * 24 * time.Hour

// Renew lets a token live as long again as it was made for, and returns how long it
// lives now, ten years at most; 0 is for ever.
func (s Service) Renew(token []byte) (time.Duration, error) {
	if err := s.Check(); err != nil {
		return 0, err
	}
	var got struct {
		Auth *struct {
			Seconds int64 `json:"lease_duration"`
		} `json:"auth"`
	}
	err := s.post("/v1/auth/token/renew-self", token, struct{}{}, &got, nil)
	if err == nil && (got.Auth == nil || got.Auth.Seconds < 0) {
		err = errors.New("it does not say how long the token lives")
	}
	if err != nil {
		return 0, fmt.Errorf("renewing the token of the transit service (%s): %w", strings.TrimSuffix(s.URL, "/"), err)
	}
	return time.Duration(min(got.Auth.Seconds, int64(longest/time.Second))) * time.Second, nil
}
