/* SPDX-License-Identifier: MIT */
#include "verifier/inspect.h"

#include <string.h>

#include "core/hex.h"
#include "core/signature.h"
#include "core/verity.h"
#include "verifier/boot_files.h"
#include "verifier/disk.h"
#include "verifier/inspect_program.h"
#include "verifier/probe.h"

static void add_uuid(json_object *o, const char *key, const uint8_t uuid[16])
{
	char text[UUID_TEXT_SIZE];
	json_add_text(o, key, uuid_encode(uuid, text));
}

/* The recorded error becomes the member "fault" of O. */
static void add_fault(json_object *o)
{
	json_add_bytes(o, "fault", span_of(error_text(), strlen(error_text())));
}

static json_object *describe_file_system(
	const struct file *f, const struct gpt_partition *p)
{
	struct probe probe;
	json_object *o = json_object_new_object();
	if (probe_file_system(f, p->offset, p->size, &probe) < 0) {
		add_fault(o);
		return o;
	}
	json_add_text(o, "type", probe_name(probe.kind));
	if (probe.kind == PROBE_UNKNOWN)
		return o;
	json_add_number(o, "size", probe.size);
	json_add_number(o, "blockSize", probe.block_size);
	if (probe.has_uuid)
		add_uuid(o, "uuid", probe.uuid);
	json_add_bool(o, "readOnly", probe.read_only);
	return o;
}

static json_object *describe_verity(const struct file *f, const struct gpt_partition *p)
{
	struct verity_params v;
	uint64_t tree = 0;
	json_object *o = json_object_new_object();
	if (p->size < VERITY_SUPERBLOCK_SIZE ||
		verity_superblock_read(f, p->offset, &v) < 0 ||
		verity_tree_size(&v, &tree) < 0) {
		add_fault(o);
		return o;
	}
	json_add_number(o, "version", v.version);
	json_add_text(o, "hash", hash_name(v.alg));
	json_add_number(o, "dataBlockSize", v.data_block_size);
	json_add_number(o, "hashBlockSize", v.hash_block_size);
	json_add_number(o, "dataBlocks", v.data_blocks);
	json_add_number(o, "treeSize", tree);
	json_add_hex(o, "salt", v.salt, v.salt_size);
	add_uuid(o, "uuid", v.uuid);
	return o;
}

static json_object *describe_signature(
	const struct file *f, const struct gpt_partition *p)
{
	AUTO_SIGNATURE s = {0};
	BUFFER content = {0};
	json_object *o = json_object_new_object();
	int r = p->size > 1 << 20
			? error_format("%s: partition %u is too large for a signature",
				  f->name, p->number)
			: buffer_append_zeros(&content, (size_t)p->size);
	if (r == 0)
		r = file_read(f, content.data, content.size, p->offset);
	if (r == 0)
		r = signature_parse(&s, buffer_span(&content), f->name);
	if (r < 0) {
		add_fault(o);
		return o;
	}
	json_add_bool(o, "signed", r == 0);
	if (r == 0) {
		json_add_text(o, "rootHash", s.root_hash);
		json_add_text(o, "certificateFingerprint", s.fingerprint);
		inspect_signer(o, buffer_span(&s.pkcs7));
	}
	return o;
}

static json_object *describe_esp(const struct file *f, const struct gpt_partition *p,
	const struct inspect_options *options)
{
	struct fat fat;
	AUTO_BOOT_FILES files = {0};
	json_object *o = json_object_new_object();
	if (fat_open(&fat, f, p->offset, p->size) < 0 ||
		boot_files_list(&files, &fat) < 0) {
		add_fault(o);
		return o;
	}
	json_add_number(o, "fatBits", fat.bits);
	json_add_text(o, "label", fat.label);
	json_object *list = json_object_new_array();
	for (size_t i = 0; i < files.n_items; i++) {
		const struct boot_file *file = &files.items[i];
		json_object *entry = json_object_new_object();
		json_add_text(entry, "path", file->path);
		json_add_number(entry, "size", file->entry.size);
		if (fat_is_program(&file->entry))
			inspect_program(entry, &fat, file, options);
		json_append(list, entry);
	}
	json_add(o, "files", list);
	return o;
}

static void describe_contents(json_object *o, const struct file *f,
	const struct gpt_partition *p, const struct inspect_options *options)
{
	const struct dps_type *t = disk_type(p);
	switch (t ? t->role : DPS_OTHER) {
	case DPS_ROOT_VERITY:
	case DPS_USR_VERITY:
		json_add(o, "verity", describe_verity(f, p));
		break;
	case DPS_ROOT_SIG:
	case DPS_USR_SIG:
		json_add(o, "signature", describe_signature(f, p));
		break;
	case DPS_ESP:
	case DPS_XBOOTLDR:
		json_add(o, "esp", describe_esp(f, p, options));
		break;
	default:
		json_add(o, "fileSystem", describe_file_system(f, p));
	}
}

static json_object *describe_partition(const struct file *f,
	const struct gpt_partition *p, const struct inspect_options *options)
{
	const struct dps_type *t = disk_type(p);
	json_object *o = json_object_new_object();
	json_add_number(o, "number", p->number);
	json_add_text(o, "type", t ? t->name : NULL);
	add_uuid(o, "typeUuid", p->type);
	add_uuid(o, "uuid", p->uuid);
	json_add_text(o, "name", p->name);
	json_add_number(o, "offset", p->offset);
	json_add_number(o, "size", p->size);
	json_add_bool(o, "readOnly", (p->attributes & GPT_READ_ONLY) != 0);
	describe_contents(o, f, p, options);
	return o;
}

static json_object *describe_set(const struct disk_set *s)
{
	char hash[65];
	json_object *o = json_object_new_object();
	json_add_text(o, "part", s->role == DPS_ROOT ? "root" : "usr");
	json_add_text(o, "architecture", s->architecture);
	json_add_number(o, "data", s->data ? s->data->number : 0);
	json_add_number(o, "verity", s->verity ? s->verity->number : 0);
	json_add_number(o, "signature", s->signature ? s->signature->number : 0);
	if (s->data && s->verity) {
		hex_encode(s->data->uuid, 16, hash);
		hex_encode(s->verity->uuid, 16, hash + 32);
	}
	json_add_text(o, "rootHash", s->data && s->verity ? hash : NULL);
	return o;
}

static json_object *describe_faults(const struct gpt *gpt)
{
	json_object *list = json_object_new_array();
	for (int i = 0; i < GPT_N_PARTS; i++) {
		if (!*gpt->areas[i].fault)
			continue;
		json_object *o = json_object_new_object();
		json_add_text(o, "area", gpt_part_name((enum gpt_part)i));
		json_add_number(o, "offset", gpt->areas[i].offset);
		json_add_text(o, "fault", gpt->areas[i].fault);
		json_append(list, o);
	}
	return list;
}

int inspect_image(const struct file *f, const struct inspect_options *options,
	json_object **document)
{
	AUTO_DISK disk;
	int r = disk_open(&disk, f);
	if (r < 0)
		return r;
	json_object *o = *document = json_object_new_object();
	json_add_bytes(o, "image", span_of(f->name, strlen(f->name)));
	json_add_number(o, "size", f->size);
	json_add_number(o, "sectorSize", disk.gpt.sector_size);
	add_uuid(o, "diskUuid", disk.gpt.disk_uuid);
	json_add(o, "tableFaults", describe_faults(&disk.gpt));
	json_object *sets = json_object_new_array();
	for (size_t i = 0; i < disk.n_sets; i++)
		json_append(sets, describe_set(&disk.sets[i]));
	json_add(o, "sets", sets);
	json_object *partitions = json_object_new_array();
	for (size_t i = 0; i < disk.gpt.n_partitions; i++)
		json_append(partitions,
			describe_partition(f, &disk.gpt.partitions[i], options));
	json_add(o, "partitions", partitions);
	return 0;
}
