# Which keys are objects and which are records, as patterns with *.

locals {
  known_algorithms = ["md5", "sha1", "sha256", "sha512", "crc32c", "crc64nvme", "blake3", "xxh3"]

  # Prefixes and suffixes of the keys of objects, by bucket.
  affixes = { for label, b in var.buckets : label => [
    for a in setproduct(coalescelist(sort(b.prefixes), [""]), coalescelist(sort(b.suffixes), [""])) : { prefix = a[0], suffix = a[1] }
  ] }
  object_keys = { for label, affixes in local.affixes : label => [for a in affixes : "${a.prefix}*${a.suffix}"] }

  # The records of these objects, with {alg} still in them. A prefix is a part of
  # {key}. In a layout with {dir} and {base} it is split between the two at its last
  # slash, or is a part of {dir}.
  record_templates = { for label, affixes in merge(local.affixes, { "" = [{ prefix = "", suffix = "" }] }) : label => flatten([
    for a in affixes : strcontains(var.record_layout, "{key}") ? [
      replace(var.record_layout, "{key}", "${a.prefix}*${a.suffix}"),
      ] : [
      replace(replace(var.record_layout, "{dir}/", regex("^(?:.*/)?", a.prefix)), "{base}", "${regex("[^/]*$", a.prefix)}*${a.suffix}"),
      replace(replace(var.record_layout, "{dir}/", "${a.prefix}*/"), "{base}", "*${a.suffix}"),
    ]
  ]) }
  # In a record bucket, records are below the name of the objects' bucket.
  record_arns = { for label, templates in local.record_templates : label => [
    for t in templates : var.record_bucket == null ? "${local.bucket_arns[label]}/${t}" : "${local.record_bucket_arn}/${var.buckets[label].name}/${t}"
  ] if label != "" }
  # The worker may write records of the configured algorithms. It looks for records
  # of every algorithm, because no record must outlive its object.
  written_arns = flatten([for t in flatten(values(local.record_arns)) : [for alg in sort(var.algorithms) : replace(t, "{alg}", alg)]])
  former_arns  = flatten([for t in flatten(values(local.record_arns)) : [for alg in sort(var.former_algorithms) : replace(t, "{alg}", alg)]])
  looked_for   = [for t in flatten(values(local.record_arns)) : replace(t, "{alg}", "*")]

  # These keys never become work: records of every algorithm, configured or not, and
  # bucketsum's own notes. The worker skips them, too. If the records are elsewhere,
  # a key that looks like a record is an ordinary object.
  records_beside = contains(var.record_to, "sidecar") && var.record_bucket == null
  excluded_keys = concat(
    flatten([for t in local.record_templates[""] : [for alg in local.known_algorithms : replace(t, "{alg}", alg)] if local.records_beside]),
    [".bucketsum/*"],
  )
}
