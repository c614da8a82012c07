package upload

// The standings of a camera (SPEC.md section 6).
const (
	StandingApproved = "approved"
	StandingPending  = "pending"
	StandingBlocked  = "blocked"
	StandingChanged  = "changed"
	StandingForeign  = "foreign"
	StandingKeyless  = "keyless"
	StandingUnknown  = "unknown"
)

// MayErase reports whether recordings of a camera with this standing may be
// erased from it, as far as the standing goes.
func MayErase(standing string) bool {
	switch standing {
	case StandingApproved, StandingKeyless, StandingUnknown:
		return true
	}
	return false
}

// MaxKeepDays is the longest time that recordings may be kept on cameras.
const MaxKeepDays = 3650

// Validate implements Message.
func (m *Ask) Validate() error {
	if set := count(m.GetClock() != nil, m.GetCamera() != nil, m.GetPolicy() != nil); set != 1 {
		return badFrame("Ask: %d questions, want one", set)
	}
	if q := m.GetClock(); q != nil {
		return first(instant("ClockQuestion", "dock's clock", q.GetDockUs()))
	}
	if q := m.GetCamera(); q != nil {
		return first(text("CameraQuestion", "serial", q.GetSerial(), 1, MaxText), key("CameraQuestion", "key", q.GetKey()))
	}
	if n := len(m.GetPolicy().GetHave()); n != 0 {
		return first(size("PolicyQuestion", "digest", n, HashSize, HashSize))
	}
	return nil
}

// Validate implements Message.
func (m *Answer) Validate() error {
	if set := count(m.GetClock() != nil, m.GetCamera() != nil, m.GetPolicy() != nil); set != 1 {
		return badFrame("Answer: %d answers, want one", set)
	}
	if a := m.GetClock(); a != nil {
		return first(instant("ClockAnswer", "dock's clock", a.GetDockUs()), instant("ClockAnswer", "time of receipt", a.GetReceivedUs()), instant("ClockAnswer", "time of sending", a.GetSentUs()))
	}
	if a := m.GetCamera(); a != nil {
		return a.validate()
	}
	return m.GetPolicy().validate()
}

func (a *CameraAnswer) validate() error {
	return first(
		text("CameraAnswer", "serial", a.GetSerial(), 1, MaxText), key("CameraAnswer", "key", a.GetKey()), word("CameraAnswer", "standing", a.GetStanding()),
		text("CameraAnswer", "officer", a.GetOfficer(), 0, MaxText), text("CameraAnswer", "officer id", a.GetOfficerId(), 0, MaxText),
		text("CameraAnswer", "reason of the hold", a.GetHoldReason(), 0, MaxMessage), size("CameraAnswer", "certificate", len(a.GetCertificate()), 0, MaxPolicy),
		instant("CameraAnswer", "setting of the clock", a.GetClockSetUs()),
	)
}

func (a *PolicyAnswer) validate() error {
	if err := first(
		size("PolicyAnswer", "digest", len(a.GetDigest()), HashSize, HashSize), key("PolicyAnswer", "authority", a.GetAuthority()),
		size("PolicyAnswer", "trust", len(a.GetTrust()), 0, MaxTrust), size("PolicyAnswer", "days that are kept", int(min(a.GetKeepDays(), MaxKeepDays+1)), 0, MaxKeepDays),
		size("PolicyAnswer", "list of settings", len(a.GetSettings()), 0, MaxPolicies), size("PolicyAnswer", "list of firmware", len(a.GetFirmware()), 0, MaxPolicies),
	); err != nil {
		return err
	}
	for _, s := range a.GetSettings() {
		if err := first(size("PolicyAnswer", "settings", len(s), 1, MaxPolicy)); err != nil {
			return err
		}
	}
	for _, f := range a.GetFirmware() {
		if err := first(
			size("FirmwareOffer", "statement", len(f.GetStatement()), 1, MaxPolicy), key("FirmwareOffer", "maker", f.GetMaker()),
			size("FirmwareOffer", "begin of the window", int(min(f.GetWindowFrom(), 1440)), 0, 1439), size("FirmwareOffer", "end of the window", int(min(f.GetWindowTo(), 1440)), 0, 1439),
		); err != nil {
			return err
		}
	}
	return nil
}

// Validate implements Message.
func (m *FirmwareFetch) Validate() error {
	return first(size("FirmwareFetch", "hash", len(m.GetSha256()), HashSize, HashSize))
}

// Validate implements Message.
func (m *FirmwareBlock) Validate() error {
	return first(size("FirmwareBlock", "data", len(m.GetData()), 1, MaxBlock))
}

// key accepts an Ed25519 public key, or none.
func key(message, field string, k []byte) *Error {
	if len(k) == 0 {
		return nil
	}
	return size(message, field, len(k), Ed25519KeySize, Ed25519KeySize)
}

func count(set ...bool) (n int) {
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}
