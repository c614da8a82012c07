package uplink

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/internal/schedule"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// rules are what people have decided. They are never changed, only replaced.
type rules struct {
	stations map[evidence.StationID]*schedule.Table
	docks    map[evidence.DockID]*schedule.Table
	sending  Sending
	marks    map[evidence.DockID]*Marks
	kept     map[string]string // as the catalog has them, by name of the setting
}

func (r *rules) equal(other *rules) bool { return maps.Equal(r.kept, other.kept) }

// Sending is what goes first, whichever dock it is at.
type Sending struct {
	UrgentOfficers []string   `json:"urgent_officers"` // ids of officers, as cameras tell them
	Categories     []Category `json:"categories"`
}

// Category says how recordings of a category are sent.
type Category struct {
	Category string `json:"category"`
	Weight   uint32 `json:"weight"` // 1 to 100; what is not listed has 10
	Urgent   bool   `json:"urgent"`
}

// Marks are what people decided about the queue of one dock.
type Marks struct {
	Order  []evidence.EvidenceID `json:"order"`
	Urgent []evidence.EvidenceID `json:"urgent"`
}

// Names of the settings that the catalog keeps the rules under.
const (
	prefix         = "uplink."
	stationSetting = prefix + "station." // and the station's name
	dockSetting    = prefix + "dock."
	marksSetting   = prefix + "marks." // and the dock's name
	sendingSetting = prefix + "sending"
)

// load reads the rules that are kept.
func (s *Service) load(ctx context.Context) (*rules, error) {
	all, err := s.Catalog.Settings(ctx, s.Agency)
	if err != nil {
		return nil, fmt.Errorf("reading how docks send: %w", err)
	}
	r := &rules{
		stations: map[evidence.StationID]*schedule.Table{}, docks: map[evidence.DockID]*schedule.Table{},
		marks: map[evidence.DockID]*Marks{}, kept: map[string]string{},
	}
	for _, setting := range all {
		if !strings.HasPrefix(setting.Name, prefix) || setting.Value == "" {
			continue
		}
		if err := r.read(setting.Name, setting.Value); err != nil {
			return nil, fmt.Errorf("reading how docks send: the catalog's setting %s does not hold what this program writes: %w: set it again with sealdock-ingest settings", setting.Name, err)
		}
		r.kept[setting.Name] = setting.Value
	}
	return r, nil
}

func (r *rules) read(name, value string) (err error) {
	if station, ok := strings.CutPrefix(name, stationSetting); ok {
		r.stations[evidence.StationID(station)], err = readTable(value)
	} else if dock, ok := strings.CutPrefix(name, dockSetting); ok {
		r.docks[evidence.DockID(dock)], err = readTable(value)
	} else if dock, ok := strings.CutPrefix(name, marksSetting); ok {
		r.marks[evidence.DockID(dock)], err = readMarks(value)
	} else if name == sendingSetting {
		r.sending, err = readSending(value)
	}
	return err
}

// tableText is a bandwidth table as it is kept.
type tableText struct {
	Zone    string   `json:"zone"`
	Windows []string `json:"windows"` // as schedule.ParseWindow reads them
}

func readTable(value string) (*schedule.Table, error) {
	if value == "" {
		return nil, nil
	}
	var text tableText
	if err := json.Unmarshal([]byte(value), &text); err != nil {
		return nil, err
	}
	return schedule.ParseTable(text.Zone, text.Windows)
}

// writeTable is "" for no table, or one that limits nothing.
func writeTable(t *schedule.Table) string {
	if len(t.Windows()) == 0 {
		return ""
	}
	text := tableText{Zone: t.Zone()}
	for _, w := range t.Windows() {
		text.Windows = append(text.Windows, w.String())
	}
	return write(text)
}

func readMarks(value string) (*Marks, error) {
	m := &Marks{}
	if value == "" {
		return m, nil
	}
	return m, json.Unmarshal([]byte(value), m)
}

func (m *Marks) write() string {
	if len(m.Order) == 0 && len(m.Urgent) == 0 {
		return ""
	}
	return write(m)
}

func readSending(value string) (s Sending, err error) {
	if value != "" {
		err = json.Unmarshal([]byte(value), &s)
	}
	return s, err
}

func write(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return string(b)
}

// check refuses a policy that docks would not take, in words for people.
func (s *Sending) check() error {
	if len(s.UrgentOfficers) > upload.MaxOfficers {
		return fmt.Errorf("%w: %d urgent officers are listed, at most %d are taken", ErrInput, len(s.UrgentOfficers), upload.MaxOfficers)
	}
	if len(s.Categories) > upload.MaxCategories {
		return fmt.Errorf("%w: %d categories are listed, at most %d are taken", ErrInput, len(s.Categories), upload.MaxCategories)
	}
	for i, officer := range s.UrgentOfficers {
		if err := checkName("an officer's id", officer); err != nil {
			return err
		}
		if slices.Contains(s.UrgentOfficers[:i], officer) {
			return fmt.Errorf("%w: officer %s is listed twice", ErrInput, officer)
		}
	}
	for i, c := range s.Categories {
		if err := checkName("a category's name", c.Category); err != nil {
			return err
		}
		if c.Weight < 1 || c.Weight > upload.MaxWeight {
			return fmt.Errorf("%w: the weight of category %s is %d, want 1 to %d", ErrInput, c.Category, c.Weight, upload.MaxWeight)
		}
		if slices.ContainsFunc(s.Categories[:i], func(other Category) bool { return other.Category == c.Category }) {
			return fmt.Errorf("%w: category %s is listed twice", ErrInput, c.Category)
		}
	}
	return nil
}

func checkName(what, text string) error {
	switch {
	case text == "":
		return fmt.Errorf("%w: %s is missing", ErrInput, what)
	case len(text) > upload.MaxText || text != upload.CleanText(text, upload.MaxText) || text != strings.TrimSpace(text):
		return fmt.Errorf("%w: %s must be at most %d bytes of plain text, without line breaks and spaces at its ends", ErrInput, what, upload.MaxText)
	}
	return nil
}
