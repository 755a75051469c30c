/* SPDX-License-Identifier: MIT */
#ifndef CAIRN_CORE_EROFS_H
#define CAIRN_CORE_EROFS_H

/*
 * erofs on disk, as far as Cairn writes it itself (uncompressed, 4096-byte blocks).
 * Integers are little-endian. Source: the kernel's fs/erofs/erofs_fs.h and its document
 * "core_ondisk".
 */

#define EROFS_BLOCK_BITS 12
#define EROFS_BLOCK      (1u << EROFS_BLOCK_BITS)
#define EROFS_SLOT       32u /* inodes start at multiples; a nid counts slots */

#define EROFS_SUPER_OFFSET 1024u
#define EROFS_SUPER_SIZE   128u
#define EROFS_SUPER_MAGIC  0xE0F5E1E2u

#define EROFS_COMPAT_MTIME        0x2u /* each inode its own mtime */
#define EROFS_COMPAT_XATTR_FILTER 0x4u /* a bloom filter of attribute names */

/* Inodes: i_format is the layout << 1 | extended. */
#define EROFS_INODE_COMPACT  32u
#define EROFS_INODE_EXTENDED 64u
#define EROFS_FLAT_PLAIN     0u
#define EROFS_FLAT_INLINE    2u
#define EROFS_CHUNK_BASED    4u
#define EROFS_CHUNK_BITS_MAX 31u         /* log2 of blocks in a chunk */
#define EROFS_NULL_ADDR      0xFFFFFFFFu /* a chunk that is a hole */

#define EROFS_DIRENT_SIZE 12u

enum erofs_file_type {
	EROFS_FT_UNKNOWN,
	EROFS_FT_REGULAR,
	EROFS_FT_DIRECTORY,
	EROFS_FT_CHAR,
	EROFS_FT_BLOCK,
	EROFS_FT_FIFO,
	EROFS_FT_SOCKET,
	EROFS_FT_SYMLINK,
};

/* Extended attributes: a header in the inode, shared ones by number, then the others. */
#define EROFS_XATTR_HEADER_SIZE 12u
#define EROFS_XATTR_ENTRY_SIZE  4u
#define EROFS_XATTR_SHARED_MAX  0x80u
#define EROFS_XATTR_FILTER_SEED 0x25BBE08Fu /* of xxh32, plus the prefix's index */
#define EROFS_XATTR_FILTER_BITS 32u

enum erofs_xattr_index {
	EROFS_XATTR_NONE,
	EROFS_XATTR_USER,
	EROFS_XATTR_ACL_ACCESS,
	EROFS_XATTR_ACL_DEFAULT,
	EROFS_XATTR_TRUSTED,
	EROFS_XATTR_LUSTRE,
	EROFS_XATTR_SECURITY,
};

#endif
