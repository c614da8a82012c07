package conf

import (
	"bytes"
	"encoding"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// masked stands for a secret that is set.
const masked = "********"

// Show writes the configuration as TOML, each key under its explanation. Secrets
// that are set appear as stars. But for these, the text loads again to the same
// values.
func Show(w io.Writer, cfg any) error {
	v, err := structOf(cfg)
	if err != nil {
		return fmt.Errorf("showing the configuration: %w", err)
	}
	var b bytes.Buffer
	if err := showTable(&b, "", v); err != nil {
		return fmt.Errorf("showing the configuration: %w", err)
	}
	if _, err := w.Write(bytes.TrimLeft(b.Bytes(), "\n")); err != nil {
		return fmt.Errorf("showing the configuration: %w", err)
	}
	return nil
}

// showTable writes the plain values of a table, then the tables in it.
func showTable(b *bytes.Buffer, prefix string, v reflect.Value) error {
	all := fields(v)
	for _, f := range all {
		if isTable(f.value.Type()) || isTableList(f.value.Type()) {
			continue
		}
		text, err := f.text()
		if err != nil {
			return fmt.Errorf("key %s: %w", prefix+f.name, err)
		}
		showHelp(b, f.help)
		fmt.Fprintf(b, "%s = %s\n", toml.Key{f.name}, text)
	}
	for _, f := range all {
		path := toml.Key(append(splitKey(prefix), f.name)).String()
		switch {
		case isTable(f.value.Type()):
			b.WriteByte('\n')
			showHelp(b, f.help)
			fmt.Fprintf(b, "[%s]\n", path)
			if err := showTable(b, prefix+f.name+".", f.value); err != nil {
				return err
			}
		case isTableList(f.value.Type()):
			for i := range f.value.Len() {
				b.WriteByte('\n')
				showHelp(b, f.help)
				fmt.Fprintf(b, "[[%s]]\n", path)
				if err := showTable(b, prefix+f.name+".", f.value.Index(i)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func isTableList(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && isTable(t.Elem())
}

func splitKey(prefix string) []string {
	if prefix == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(prefix, "."), ".")
}

func showHelp(b *bytes.Buffer, help string) {
	for line := range strings.Lines(help) {
		fmt.Fprintf(b, "# %s\n", strings.TrimSpace(line))
	}
}

// text is the value of a field as TOML, masked if it is a secret.
func (f field) text() (string, error) {
	switch {
	case f.secret == "" || f.value.IsZero():
		return valueText(f.value)
	case f.secret == "url" && f.value.Kind() == reflect.String:
		return strconv.Quote(maskURL(f.value.String())), nil
	}
	return strconv.Quote(masked), nil
}

// maskURL hides the password of a URL. What does not read as a plain URL, or may
// hide a password elsewhere (as PostgreSQL allows in the query), is hidden whole.
func maskURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Query().Has("password") {
		return masked
	}
	if _, ok := u.User.Password(); ok {
		u.User = url.UserPassword(u.User.Username(), "stars")
		return strings.Replace(u.String(), ":stars@", ":"+masked+"@", 1)
	}
	return text
}

// valueText writes one value as TOML.
func valueText(v reflect.Value) (string, error) {
	if d, ok := v.Interface().(time.Duration); ok {
		return strconv.Quote(d.String()), nil
	}
	if m, ok := marshaler(v); ok {
		text, err := m.MarshalText()
		return quote(string(text)), err
	}
	switch v.Kind() {
	case reflect.String:
		return quote(v.String()), nil
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprint(v.Interface()), nil
	case reflect.Float32, reflect.Float64:
		text := strconv.FormatFloat(v.Float(), 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text, nil
	case reflect.Slice, reflect.Array:
		list := make([]string, v.Len())
		for i := range list {
			var err error
			if list[i], err = valueText(v.Index(i)); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(list, ", ") + "]", nil
	}
	return "", fmt.Errorf("a %s cannot be shown", v.Type())
}

func marshaler(v reflect.Value) (encoding.TextMarshaler, bool) {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		return m, true
	}
	if v.CanAddr() {
		m, ok := v.Addr().Interface().(encoding.TextMarshaler)
		return m, ok
	}
	return nil, false
}

// quote writes a TOML basic string (TOML 1.0, "String").
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7F:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
