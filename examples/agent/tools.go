package main

import (
	"context"
	"fmt"
	"time"
)

// tool is a function that the agent can call.
type tool func(ctx context.Context, args string) (string, error)

// tools are local functions that take their time, as real ones do.
func tools(pace time.Duration) map[string]tool {
	slow := func(result string) tool {
		return func(ctx context.Context, args string) (string, error) {
			select {
			case <-time.After(pace):
				return fmt.Sprintf(result, args), nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
	}
	return map[string]tool{
		"search_flights": slow("for %s: TP935 at 129 EUR, LX2084 at 189 EUR"),
		"check_policy":   slow("%s: TP935 is within the limit"),
		"book":           slow("booked the %s: TP935, 129 EUR, reference Q7R2LM"),
	}
}
