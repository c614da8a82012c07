package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// fresh is how long a policy is given out without looking into the catalog
// again, which other processes (commands, other nodes) change too.
const fresh = time.Second

// Policy answers a dock that has the policy with the digest have: with the
// digest alone when nothing changed. The answer is shared and not to be changed.
func (s *Service) Policy(ctx context.Context, agency evidence.AgencyID, have []byte) (*upload.PolicyAnswer, error) {
	if agency != s.Agency {
		return nil, upload.Errorf(upload.CodeWrongAgency, "this server has no policy for agency %s", agency)
	}
	policy, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(have, policy.GetDigest()) {
		return &upload.PolicyAnswer{Digest: policy.GetDigest()}, nil
	}
	return policy, nil
}

// Digest returns the digest of the present policy, which is not to be changed.
func (s *Service) Digest(ctx context.Context) ([]byte, error) {
	policy, err := s.current(ctx)
	return policy.GetDigest(), err
}

func (s *Service) current(ctx context.Context) (*upload.PolicyAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := s.Now().Sub(s.made); s.policy != nil && age >= 0 && age < fresh {
		return s.policy, nil
	}
	s.Renew(ctx)
	policy, err := s.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("making the policy: %w", err)
	}
	s.policy, s.made = policy, s.Now()
	return policy, nil
}

// Renew issues a trust statement when that is needed. The present one stays in
// force where it fails, and the log says so.
func (s *Service) Renew(ctx context.Context) {
	if s.Key == nil {
		return
	}
	if err := s.renew(ctx); err != nil && ctx.Err() == nil {
		s.Log.ErrorContext(ctx, "cameras could not be told of a change of docks; the trust that they have stays in force", "error", err)
	}
}

// renew compares trust and docks when the docks are not as they were the last
// time: to read thousands of docks every second would cost more than to serve them.
// Who lets a dock in or keeps it out renews the trust in the same step.
func (s *Service) renew(ctx context.Context) error {
	mark, err := s.Catalog.DocksMark(ctx, s.Agency)
	if last := s.compared.Load(); err != nil || last != nil && *last == mark {
		return err
	}
	wanted, _, err := s.trust(ctx, &s.Catalog.Reader)
	if err == nil && wanted != nil {
		err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error { return s.RenewTrust(ctx, tx) })
	}
	if err == nil {
		s.compared.Store(&mark)
	}
	return err
}

// read makes the policy of what the catalog holds.
func (s *Service) read(ctx context.Context) (*upload.PolicyAnswer, error) {
	policy := &upload.PolicyAnswer{}
	days, err := s.KeepDays(ctx)
	if errors.Is(err, errSetting) {
		s.Log.ErrorContext(ctx, "recordings stay on their cameras until this is set right", "error", err)
		days, err = upload.MaxKeepDays, nil
	}
	if err != nil {
		return nil, err
	}
	policy.KeepDays = uint32(days)
	authority, err := s.known(ctx)
	if err != nil {
		return nil, err
	}
	if authority != nil {
		policy.Authority = authority
		if err := s.readStatements(ctx, policy); err != nil {
			return nil, err
		}
	}
	offers, err := s.offers(ctx)
	if err != nil {
		return nil, err
	}
	for i := range offers {
		policy.Firmware = append(policy.Firmware, &upload.FirmwareOffer{
			Statement: offers[i].Envelope, Maker: offers[i].MakerKey, WindowFrom: uint32(offers[i].WindowFrom), WindowTo: uint32(offers[i].WindowTo),
		})
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(policy)
	if err != nil {
		return nil, err
	}
	sum := evidence.SHA256(encoded)
	policy.Digest = sum[:]
	return policy, nil
}

// readStatements adds what the camera authority has signed.
func (s *Service) readStatements(ctx context.Context, policy *upload.PolicyAnswer) error {
	trust, err := s.Catalog.CameraTrust(ctx, s.Agency)
	switch {
	case err == nil:
		policy.Trust = trust.Envelope
	case !errors.Is(err, catalog.ErrNotFound):
		return err
	}
	profiles, err := s.Catalog.CameraSettings(ctx, s.Agency)
	if err != nil {
		return err
	}
	for i := range profiles {
		policy.Settings = append(policy.Settings, profiles[i].Envelope)
	}
	return nil
}

// errSetting: the catalog holds a value that this program never wrote.
var errSetting = errors.New("a setting cannot be read")

// keepDaysSetting is the name under which the catalog keeps it.
const keepDaysSetting = "cameras.keep_days"

// KeepDays returns how many days a recording stays on its camera after its
// receipt; 0 where nobody has set it.
func (s *Service) KeepDays(ctx context.Context) (int, error) {
	setting, err := s.Catalog.Setting(ctx, s.Agency, keepDaysSetting)
	if errors.Is(err, catalog.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	days, err := strconv.Atoi(setting.Value)
	if err != nil || days < 0 || days > upload.MaxKeepDays {
		return 0, fmt.Errorf("%w: %s is %q, want 0 to %d; set it again with settings keep-days", errSetting, keepDaysSetting, setting.Value, upload.MaxKeepDays)
	}
	return days, nil
}

// SetKeepDays sets how many days a recording stays on its camera after its
// receipt.
func (s *Service) SetKeepDays(ctx context.Context, by By, days int) error {
	if days < 0 || days > upload.MaxKeepDays {
		return fmt.Errorf("keeping recordings on cameras for %d days: 0 to %d are allowed", days, upload.MaxKeepDays)
	}
	value := strconv.Itoa(days)
	return s.update(ctx, func(tx *sqldb.Tx) error {
		before := "0"
		if setting, err := tx.Setting(ctx, s.Agency, keepDaysSetting); err == nil {
			before = setting.Value
		} else if !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		if err := tx.SetSetting(ctx, &catalog.Setting{Agency: s.Agency, Name: keepDaysSetting, Value: value, UpdatedAt: s.instant(), UpdatedBy: by.Actor.ID}); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, s.event(evidence.EventKeepDaysSet, by, "setting:"+keepDaysSetting, map[string]string{"days": value, "before": before}))
		return err
	})
}
