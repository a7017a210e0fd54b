package main

import (
	"hash/fnv"
	"strings"
	"unicode"
)

// dimensions of every embedding.
const dimensions = 512

// tooCommon are words that say nothing about what a sentence is about.
var tooCommon = map[string]bool{
	"a": true, "an": true, "and": true, "at": true, "does": true, "for": true, "has": true,
	"in": true, "is": true, "of": true, "on": true, "or": true, "she": true, "he": true,
	"the": true, "to": true, "what": true, "where": true, "which": true, "who": true, "with": true,
}

// embed turns a text into a vector: every word adds to a coordinate that its hash chooses, and
// every three letters in a row add a little, so that "flights" is near to "flight". It knows
// nothing of meaning; a model would go here. The same text gives the same vector on every machine.
func embed(text string) []float32 {
	v := make([]float32, dimensions)
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for _, w := range words {
		if tooCommon[w] {
			continue
		}
		add(v, w, 1)
		letters := []rune("^" + w + "$")
		for i := range len(letters) - 2 {
			add(v, string(letters[i:i+3]), 0.4)
		}
	}
	return v
}

// add adds to the coordinate of a feature. The sign is part of the hash: two features that meet in
// one coordinate cancel out as often as they add up.
func add(v []float32, feature string, weight float32) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(feature)) // a hash takes everything
	sum := h.Sum64()
	if sum>>63 == 1 {
		weight = -weight
	}
	v[sum%dimensions] += weight
}
