package pass

import (
	"context"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Count lists the objects that the pass is about, so that progress has an end. It is not ok if a bucket cannot be
// listed, or if only the records tell which objects are due. It may run beside Run.
func (p *Pass) Count(ctx context.Context) (t sweep.Totals, ok bool) {
	options := p.config.Options
	if options.OlderThan > 0 || p.budget != nil || p.config.Shards > 0 {
		return t, false
	}
	for _, s := range p.stores {
		source, err := s.Lists(options)
		if err != nil {
			return t, false
		}
		in := sweep.PrefixRange(options.Prefix)
		if p.inventory != nil {
			source, in = p.inventory, sweep.Range{}
		}
		for i, err := range source.Items(ctx, in) {
			if err != nil && i.At == "" {
				return t, false
			}
			if err == nil && !i.Record && options.Selects(i) {
				size := max(i.Object.Size, 0)
				t.Add(sweep.Row{State: sweep.OK, Size: &size})
			}
		}
	}
	return t, ctx.Err() == nil
}
