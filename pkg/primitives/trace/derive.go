package trace

// IndexEntries lists the keys of the entries, under codec.Traces.Index() and with the value Null,
// that a span with this stored form has: for whoever writes spans from elsewhere. It aliases
// nothing. Errors: codec.ErrCorrupt.
func IndexEntries(id string, data []byte) ([]string, error) {
	s, err := decode(id, data)
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, kind := range indexKinds {
		for _, value := range kind.values(&s) {
			keys = append(keys, kind.key(value, s.place()))
		}
	}
	return keys, nil
}
