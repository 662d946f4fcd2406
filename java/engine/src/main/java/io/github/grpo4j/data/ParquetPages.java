package io.github.grpo4j.data;

import io.airlift.compress.Decompressor;
import io.airlift.compress.lz4.Lz4Decompressor;
import io.airlift.compress.snappy.SnappyDecompressor;
import io.airlift.compress.zstd.ZstdDecompressor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.zip.GZIPInputStream;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.column.Encoding;
import org.apache.parquet.column.page.DataPage;
import org.apache.parquet.column.page.DataPageV1;
import org.apache.parquet.column.page.DataPageV2;
import org.apache.parquet.column.page.DictionaryPage;
import org.apache.parquet.column.page.PageReader;
import org.apache.parquet.format.CompressionCodec;
import org.apache.parquet.format.DataPageHeader;
import org.apache.parquet.format.DataPageHeaderV2;
import org.apache.parquet.format.PageHeader;
import org.apache.parquet.format.PageType;
import org.apache.parquet.format.Util;

/**
 * The pages of one column chunk, decompressed one after the other.
 *
 * <p>A chunk is at most one dictionary page, then data pages; each is a header (Thrift) and its compressed bytes. A page of
 * version 1 is compressed as a whole, one of version 2 keeps its levels uncompressed in front of the values.
 */
final class ParquetPages implements PageReader {
  /** Writers make pages of about 1 MB; more than this is a corrupt or hostile header. */
  private static final int LARGEST_PAGE = 256 << 20;

  private final byte[] chunk;
  private final ByteArrayInputStream rest;
  private final CompressionCodec codec;
  private final long values;
  private long valuesRead;

  ParquetPages(byte[] chunk, CompressionCodec codec, long values) {
    this.chunk = chunk;
    this.rest = new ByteArrayInputStream(chunk);
    this.codec = codec;
    this.values = values;
  }

  @Override
  public long getTotalValueCount() {
    return values;
  }

  @Override
  public DictionaryPage readDictionaryPage() {
    try {
      rest.mark(0);
      PageHeader header = Util.readPageHeader(rest);
      if (header.getType() != PageType.DICTIONARY_PAGE) {
        rest.reset();
        return null;
      }
      int begin = skipContent(header);
      byte[] bytes = decompress(begin, header.getCompressed_page_size(), header.getUncompressed_page_size());
      int entries = header.getDictionary_page_header().getNum_values();
      return new DictionaryPage(BytesInput.from(bytes), entries, encoding(header.getDictionary_page_header().getEncoding()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public DataPage readPage() {
    try {
      while (valuesRead < values) {
        PageHeader header = Util.readPageHeader(rest);
        int begin = skipContent(header);
        if (header.getType() == PageType.DATA_PAGE) {
          return dataPage(header, begin);
        }
        if (header.getType() == PageType.DATA_PAGE_V2) {
          return dataPageV2(header, begin);
        }
      }
      return null;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private DataPage dataPage(PageHeader header, int begin) throws IOException {
    DataPageHeader page = header.getData_page_header();
    byte[] bytes = decompress(begin, header.getCompressed_page_size(), header.getUncompressed_page_size());
    valuesRead += page.getNum_values();
    return new DataPageV1(
        BytesInput.from(bytes), page.getNum_values(), bytes.length, null,
        encoding(page.getRepetition_level_encoding()), encoding(page.getDefinition_level_encoding()), encoding(page.getEncoding()));
  }

  private DataPage dataPageV2(PageHeader header, int begin) throws IOException {
    DataPageHeaderV2 page = header.getData_page_header_v2();
    int repetition = page.getRepetition_levels_byte_length();
    int definition = page.getDefinition_levels_byte_length();
    int levels = repetition + definition;
    int compressed = header.getCompressed_page_size() - levels;
    if (repetition < 0 || definition < 0 || levels < 0 || compressed < 0) {
      throw new IOException("a page's levels are longer than the page");
    }
    int size = header.getUncompressed_page_size() - levels;
    boolean plain = page.isSetIs_compressed() && !page.isIs_compressed();
    BytesInput data = plain
        ? BytesInput.from(chunk, begin + levels, compressed)
        : BytesInput.from(decompress(begin + levels, compressed, size));
    valuesRead += page.getNum_values();
    return DataPageV2.uncompressed(
        page.getNum_rows(), page.getNum_nulls(), page.getNum_values(), BytesInput.from(chunk, begin, repetition),
        BytesInput.from(chunk, begin + repetition, definition), encoding(page.getEncoding()), data, null);
  }

  /** Steps over a page's content and returns where it begins in the chunk. */
  private int skipContent(PageHeader header) throws IOException {
    int begin = chunk.length - rest.available();
    int size = header.getCompressed_page_size();
    if (size < 0 || size > rest.available()) {
      throw new IOException("a page of " + size + " bytes does not fit the " + rest.available() + " that are left of its column chunk");
    }
    rest.skipNBytes(size);
    return begin;
  }

  private byte[] decompress(int begin, int length, int size) throws IOException {
    if (size < 0 || size > LARGEST_PAGE) {
      throw new IOException("a page claims " + size + " uncompressed bytes");
    }
    byte[] bytes = new byte[size];
    int found = switch (codec) {
      case UNCOMPRESSED -> copy(begin, length, bytes);
      case SNAPPY -> run(new SnappyDecompressor(), begin, length, bytes);
      case ZSTD -> run(new ZstdDecompressor(), begin, length, bytes);
      case LZ4_RAW -> run(new Lz4Decompressor(), begin, length, bytes);
      case GZIP -> new GZIPInputStream(new ByteArrayInputStream(chunk, begin, length)).readNBytes(bytes, 0, size);
      default -> throw new IOException("its compression " + codec + " is not supported; write it with snappy or zstd");
    };
    if (found != size) {
      throw new IOException("a page has " + found + " bytes instead of " + size);
    }
    return bytes;
  }

  private int run(Decompressor decompressor, int begin, int length, byte[] into) {
    return length == 0 ? 0 : decompressor.decompress(chunk, begin, length, into, 0, into.length);
  }

  private int copy(int begin, int length, byte[] into) {
    System.arraycopy(chunk, begin, into, 0, Math.min(length, into.length));
    return length;
  }

  private static Encoding encoding(org.apache.parquet.format.Encoding encoding) {
    return Encoding.valueOf(encoding.name());
  }
}
