package conf

import (
	"encoding"
	"fmt"
	"reflect"
	"time"

	"github.com/BurntSushi/toml"
)

// wrongType finds the first key whose value has another type than its field,
// and says so in plain words; nil when there is none. Values are not shown: they
// may be secrets.
func wrongType(path, text string, into any) error {
	v, err := structOf(into)
	if err != nil {
		return err
	}
	var table map[string]any
	if _, err := toml.Decode(text, &table); err != nil {
		return err
	}
	key, f, got := mismatch(nil, v, table)
	if key == nil {
		return nil
	}
	where := path
	if line := lineOf(text, key); line > 0 {
		where = fmt.Sprintf("%s:%d", path, line)
	}
	usual := ""
	if f.secret == "" && f.value.Kind() != reflect.Slice && !f.value.IsZero() && !isTable(f.value.Type()) {
		if shown, err := f.text(); err == nil {
			usual = "; the default is " + shown
		}
	}
	return fmt.Errorf("reading the configuration: %s: key %q wants %s, not %s%s", where, key.String(), wanted(f.value.Type()), given(got), usual)
}

// mismatch looks for the key in a table and the tables within.
func mismatch(prefix toml.Key, v reflect.Value, table map[string]any) (toml.Key, field, any) {
	for _, f := range fields(v) {
		got, ok := table[f.name]
		if !ok {
			continue
		}
		key := append(append(toml.Key{}, prefix...), f.name)
		if !fits(f.value.Type(), got) {
			return key, f, got
		}
		var within []map[string]any
		inner := f.value
		switch list := got.(type) {
		case map[string]any:
			within = []map[string]any{list}
		case []map[string]any:
			within, inner = list, reflect.New(f.value.Type().Elem()).Elem()
		}
		for _, one := range within {
			if !isTable(inner.Type()) {
				break
			}
			if key, f, got := mismatch(key, inner, one); key != nil {
				return key, f, got
			}
		}
	}
	return nil, field{}, nil
}

// fits reports whether package toml takes a value for a field of this type.
func fits(t reflect.Type, got any) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true // it says itself what is wrong
	}
	number, whole := got.(int64)
	switch t.Kind() {
	case reflect.String:
		_, ok := got.(string)
		return ok
	case reflect.Bool:
		_, ok := got.(bool)
		return ok
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		_, written := got.(string)
		return whole || written && t == reflect.TypeFor[time.Duration]()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return whole && number >= 0
	case reflect.Float32, reflect.Float64:
		_, ok := got.(float64)
		return ok || whole
	case reflect.Slice:
		if tables, ok := got.([]map[string]any); ok {
			return isTable(t.Elem()) || len(tables) == 0
		}
		list, ok := got.([]any)
		for _, one := range list {
			ok = ok && fits(t.Elem(), one)
		}
		return ok
	case reflect.Struct:
		_, ok := got.(map[string]any)
		return ok
	}
	return true
}

// wanted says what a field of this type is written as.
func wanted(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return `a duration in quotes, as in "30s"`
	}
	switch t.Kind() {
	case reflect.String:
		return "a text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number without quotes"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number from 0 on, without quotes"
	case reflect.Float32, reflect.Float64:
		return "a number without quotes"
	case reflect.Slice:
		if isTable(t.Elem()) {
			return "tables, each under its name in [[ ]]"
		}
		return "a list in [ ], each of it " + wanted(t.Elem())
	}
	return "a table, under its name in [ ]"
}

// given names the type of a value as it was read.
func given(got any) string {
	switch got := got.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case int64:
		if got < 0 {
			return "a negative number"
		}
		return "a number"
	case float64:
		return "a number with a fraction"
	case map[string]any:
		return "a table"
	case []any, []map[string]any:
		return "this list"
	}
	return "a date or time"
}
