package footage

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Sidecar is the metadata that a camera writes beside a clip, as JSON. Everything
// in it is a claim of the camera, and here invented.
type Sidecar struct {
	Serial    string    `json:"serial"`
	Model     string    `json:"model"`
	Sequence  int       `json:"sequence"` // counts the camera's clips from 1
	OfficerID string    `json:"officer_id"`
	Officer   string    `json:"officer"`
	Badge     string    `json:"badge"`
	Category  string    `json:"category"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Marks     []Mark    `json:"marks"`
	Track     []Fix     `json:"track"`
}

// Mark is a moment that the officer marked with the button.
type Mark struct {
	AtSeconds float64 `json:"at_seconds"` // since the start
	Label     string  `json:"label"`
}

// Fix is one position.
type Fix struct {
	AtSeconds float64 `json:"at_seconds"`
	Latitude  float64 `json:"latitude"`  // degrees, WGS 84
	Longitude float64 `json:"longitude"` // degrees
	Accuracy  float64 `json:"accuracy"`  // metres
	Speed     float64 `json:"speed"`     // metres per second
}

// Officer is who wears a camera.
type Officer struct{ ID, Name, Badge string }

func officers() []Officer {
	return []Officer{
		{"o-1041", "Maya Lindqvist", "1041"}, {"o-1187", "Tomás Okafor", "1187"}, {"o-1203", "Ruth Abernathy", "1203"},
		{"o-1266", "Daniel Castellanos", "1266"}, {"o-1319", "Priya Venkataraman", "1319"}, {"o-1350", "Joël Marchetti", "1350"},
		{"o-1402", "Hannah Sørensen", "1402"}, {"o-1477", "Kwame Whitfield", "1477"}, {"o-1531", "Elena Petrova-Ruiz", "1531"},
		{"o-1588", "Marcus Tolliver", "1588"}, {"o-1604", "Aiko Brandt", "1604"}, {"o-1692", "Sean O'Dalaigh", "1692"},
	}
}

func categories() []string {
	return []string{"Traffic stop", "Domestic call", "Foot patrol", "Vehicle pursuit", "Interview", "Use of force", "Public assistance", "Arrest", "Uncategorized"}
}

func labels() []string {
	return []string{"Contact", "Statement", "Item found", "Backup arrives", "Search", "Cuffs on", "Scene clear"}
}

// sidecar invents the metadata of a clip.
func (c *Clip) sidecar() Sidecar {
	r := rand.New(rand.NewPCG(c.Seed, uint64(c.Sequence)))
	wearer := c.Officer()
	length := c.Duration().Seconds()
	s := Sidecar{
		Serial: c.Serial, Model: c.Model, Sequence: c.Sequence,
		OfficerID: wearer.ID, Officer: wearer.Name, Badge: wearer.Badge,
		Category:  categories()[r.IntN(len(categories()))],
		StartedAt: c.Started.UTC(), EndedAt: c.Started.UTC().Add(c.Duration()),
		Marks: []Mark{},
	}
	at := 0.0
	for range r.IntN(4) {
		at += (length - at) * (0.1 + 0.4*r.Float64())
		s.Marks = append(s.Marks, Mark{AtSeconds: round(at, 1), Label: labels()[r.IntN(len(labels()))]})
	}
	s.Track = track(r, length)
	return s
}

// track walks through a town that does not exist, in the open sea.
func track(r *rand.Rand, length float64) []Fix {
	latitude, longitude := 31.4+0.02*r.Float64(), -41.7+0.02*r.Float64()
	heading, speed := 2*math.Pi*r.Float64(), 1.4*r.Float64()
	const metresPerDegree = 111_320
	step := max(1, length/120)
	var list []Fix
	for at := 0.0; at <= length; at += step {
		list = append(list, Fix{AtSeconds: round(at, 1), Latitude: round(latitude, 6), Longitude: round(longitude, 6),
			Accuracy: round(2.5+4*r.Float64(), 1), Speed: round(speed, 1)})
		heading += 0.4 * (r.Float64() - 0.5)
		speed = min(max(speed+0.6*(r.Float64()-0.5), 0), 4)
		latitude += speed * step * math.Cos(heading) / metresPerDegree
		longitude += speed * step * math.Sin(heading) / (metresPerDegree * math.Cos(latitude*math.Pi/180))
	}
	return list
}

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}

func (c *Clip) sidecarJSON() ([]byte, error) {
	b, err := json.MarshalIndent(c.sidecar(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the metadata of clip %d of %s: %w", c.Sequence, c.Serial, err)
	}
	return append(b, '\n'), nil
}
