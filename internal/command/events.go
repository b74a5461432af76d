package command

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
)

func newEvents() *cobra.Command {
	var r agentClient
	var follow bool
	c := &cobra.Command{
		Use:   "events [-c FILE] [-f]",
		Short: "Print what happened to the running node",
		Long: `events prints the events that the agent keeps, the last 1,024: peers that were connected, lost or could not be dialled, sources
that failed, topologies that became whole or ceased to be. With -f it goes on with each that happens, until it is interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if follow {
				return r.followEvents(c)
			}
			d, err := ask[ops.Document](c.Context(), &r, get("status", "events", "1024"))
			for i := 0; err == nil && i < len(d.Events); i++ {
				err = printLine(c.OutOrStdout(), r.as, d.Events[i], eventLine(d.Events[i]))
			}
			return err
		},
	}
	clientFlags(c, &r)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with the events that happen")
	return c
}

// followEvents prints the events that are kept and then those that happen.
func (r *agentClient) followEvents(c *cobra.Command) error {
	return r.follow(c.Context(), get("events", "all", "true"), func(event string, data json.RawMessage) error {
		switch event {
		case ops.EventEvent:
			return reportEach(event, func(e ops.Event) error { return printLine(c.OutOrStdout(), r.as, e, eventLine(e)) })(event, data)
		case ops.EventMissed:
			return reportEach(event, func(m ops.Missed) error {
				return printLine(c.OutOrStdout(), r.as, m, fmt.Sprintf("%s missed", countNoun(m.Missed, "event", "events")))
			})(event, data)
		}
		return nil
	})
}

// eventLine returns an event as one line.
func eventLine(e ops.Event) string {
	parts := []string{e.At.Local().Format(time.DateTime), e.Kind}
	if e.Topology != "" {
		parts = append(parts, "topology "+displayText(e.Topology))
	}
	if e.Peer != "" {
		parts = append(parts, displayText(e.Peer))
	}
	line := strings.Join(parts, "  ")
	if e.Error != "" {
		line += ": " + onOneLine(e.Error)
	}
	if e.Missed > 0 {
		line += fmt.Sprintf(" (%s missed before)", countNoun(e.Missed, "event", "events"))
	}
	return line
}
