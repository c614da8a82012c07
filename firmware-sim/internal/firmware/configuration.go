package firmware

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sealdock/sealdock/proto/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// setting is what one setting of the camera may be: a whole number within bounds, or one
// of some words.
type setting struct {
	least, most int
	words       []string
}

// settings are those that a simulated camera knows.
func settings() map[string]setting {
	onOff := []string{"on", "off"}
	return map[string]setting{
		"video_height":       {words: []string{"480", "720", "1080", "1440"}},
		"frame_rate":         {words: []string{"25", "30", "50", "60"}},
		"pre_record_seconds": {least: 0, most: 120},
		"clip_minutes":       {least: 1, most: 60},
		"microphone":         {words: onOff},
		"positioning":        {words: onOff},
		"light":              {words: onOff},
		"volume":             {least: 0, most: 10},
		"standby_minutes":    {least: 1, most: 720},
	}
}

func (s setting) takes(value string) bool {
	if s.words != nil {
		return slices.Contains(s.words, value)
	}
	n, err := strconv.Atoi(value)
	return err == nil && strconv.Itoa(n) == value && n >= s.least && n <= s.most
}

// setSettings takes a settings profile of the camera authority, whole or not at all.
func (c *Camera) setSettings(data []byte) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.extension
	if len(e.memory.Authority) == 0 {
		return refuse(camera.RespNotAuthorized)
	}
	var s evidence.CameraSettings
	if _, code := open(data, evidence.TypeCameraSettings, e.memory.Authority, &s); code != camera.RespOK {
		return refuse(code)
	}
	switch agency := e.standing.agency(); {
	case agency != "" && s.Agency != agency:
		return refuse(camera.RespOtherAuthority)
	case s.Model != "" && s.Model != c.settings.Model:
		return refuse(camera.RespOtherModel)
	case e.standing.settings != nil && s.Number < e.standing.settings.Number:
		return refuse(camera.RespOlder)
	}
	known := settings()
	for name, value := range s.Values {
		if rule, ok := known[name]; !ok || !rule.takes(value) {
			return refuse(camera.RespBroken)
		}
	}
	return changed(c.changeLocked(func(m *Memory) { m.Settings = data }))
}

// getSettings gives the profile that is in force, as it came.
func (c *Camera) getSettings() answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.extension.memory.Settings) == 0 {
		return refuse(camera.RespDevicePropNotSupported)
	}
	return give(c.extension.memory.Settings, nil)
}

const maxWearer = 256 // bytes of a name or id, as in a listing

// assignWearer says who wears the camera from now on.
func (c *Camera) assignWearer(data []byte) answer {
	var w camera.Wearer
	if err := camera.DecodeDocument(data, camera.MaxDocument, &w); err != nil || !plain(w.Officer) || !plain(w.OfficerID) {
		return refuse(camera.RespBroken)
	}
	return changed(c.change(func(m *Memory) { m.Wearer = &w }))
}

func plain(s string) bool {
	return len(s) <= maxWearer && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

// Wearer is who was assigned to the camera, or nil.
func (c *Camera) Wearer() *camera.Wearer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extension.memory.Wearer
}

func (c *Camera) setIndicator(light uint32) answer {
	if light > uint32(camera.IndicatorAttention) {
		return refuse(camera.RespInvalidParameter)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extension.indicator = camera.Indicator(light)
	return accept()
}

// Indicator is what the camera's light shows.
func (c *Camera) Indicator() camera.Indicator {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extension.indicator
}

// SetRecording has the camera record, or stop. While it records it takes no new firmware.
func (c *Camera) SetRecording(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.extension.recording = on
}
