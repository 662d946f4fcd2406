package io.github.grpo4j.data;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnReader;
import org.apache.parquet.column.impl.ColumnReaderImpl;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.ColumnMetaData;
import org.apache.parquet.format.FieldRepetitionType;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.SchemaElement;
import org.apache.parquet.format.Type;
import org.apache.parquet.format.Util;
import org.apache.parquet.io.api.PrimitiveConverter;
import org.apache.parquet.schema.PrimitiveType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Types;

/**
 * Reads columns of text from a Parquet file (format: github.com/apache/parquet-format).
 *
 * <pre>
 *   "PAR1" | pages of column 0 of row group 0 | … | footer: schema, places of all column chunks | footer length | "PAR1"
 * </pre>
 *
 * <p>The file layout is followed here, the values are decoded by Apache Parquet's own column readers. Its file reader is not
 * used, since that needs Hadoop on the class path. Sizes in a file are checked before anything is allocated for them.
 */
final class ParquetText {
  private static final byte[] MAGIC = "PAR1".getBytes(StandardCharsets.US_ASCII);
  private static final int TAIL = Integer.BYTES + 4;

  private final Path file;
  private final FileChannel channel;
  private final FileMetaData footer;

  private ParquetText(Path file, FileChannel channel) throws IOException {
    this.file = file;
    this.channel = channel;
    this.footer = readFooter();
  }

  /** The rows of some string columns: one list a column, all of the same length. */
  static List<List<String>> read(Path file, List<String> columns) {
    try (FileChannel channel = FileChannel.open(file)) {
      ParquetText parquet = new ParquetText(file, channel);
      List<List<String>> values = new ArrayList<>();
      for (String column : columns) {
        values.add(parquet.column(column));
      }
      return values;
    } catch (DataException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // A corrupt footer may trip the Thrift reader or any later use of what it read.
      throw new DataException("Cannot read " + file + " as Parquet: " + e.getMessage(), e);
    }
  }

  private FileMetaData readFooter() throws IOException {
    long size = channel.size();
    if (size < MAGIC.length + TAIL || !Arrays.equals(bytes(0, MAGIC.length), MAGIC)) {
      throw new IOException("it does not begin with \"PAR1\"");
    }
    ByteBuffer tail = ByteBuffer.wrap(bytes(size - TAIL, TAIL)).order(ByteOrder.LITTLE_ENDIAN);
    int length = tail.getInt();
    if (!tail.equals(ByteBuffer.wrap(MAGIC))) {
      throw new IOException("it does not end with \"PAR1\"; the file is truncated or encrypted");
    }
    if (length < 0 || length > size - TAIL - MAGIC.length) {
      throw new IOException("its footer claims " + length + " bytes of a file of " + size);
    }
    return Util.readFileMetaData(new ByteArrayInputStream(bytes(size - TAIL - length, length)));
  }

  private List<String> column(String name) throws IOException {
    SchemaElement element = topLevelColumns().get(name);
    if (element == null) {
      throw new DataException(file + ": no column \"" + name + "\"; the file has " + topLevelColumns().keySet() + ".");
    }
    FieldRepetitionType repetition = element.getRepetition_type();
    if (element.getType() != Type.BYTE_ARRAY || repetition == FieldRepetitionType.REPEATED) {
      throw new DataException(file + ": column \"" + name + "\" does not hold text.");
    }
    int maxDefinition = repetition == FieldRepetitionType.OPTIONAL ? 1 : 0;
    PrimitiveType type = (maxDefinition == 1 ? Types.optional(PrimitiveTypeName.BINARY) : Types.required(PrimitiveTypeName.BINARY)).named(name);
    ColumnDescriptor descriptor = new ColumnDescriptor(new String[] {name}, type, 0, maxDefinition);

    List<String> values = new ArrayList<>();
    try {
      for (RowGroup group : footer.getRow_groups()) {
        ColumnMetaData chunk = chunk(group, name);
        if (chunk.getNum_values() != group.getNum_rows()) {
          throw new IOException("a row group of " + group.getNum_rows() + " rows has " + chunk.getNum_values() + " values");
        }
        if (chunk.getNum_values() > 0) {
          readChunk(chunk, descriptor, values);
        }
      }
    } catch (DataException e) {
      throw e;
    } catch (RuntimeException | IOException e) {
      throw new DataException(file + ": column \"" + name + "\" cannot be decoded: " + e.getMessage(), e);
    }
    return values;
  }

  private void readChunk(ColumnMetaData chunk, ColumnDescriptor descriptor, List<String> values) throws IOException {
    long begin = chunk.getData_page_offset();
    if (chunk.isSetDictionary_page_offset() && chunk.getDictionary_page_offset() > 0) {
      begin = Math.min(begin, chunk.getDictionary_page_offset());
    }
    byte[] pages = bytes(begin, chunk.getTotal_compressed_size());
    ParquetPages reader = new ParquetPages(pages, chunk.getCodec(), chunk.getNum_values());
    ColumnReader column = new ColumnReaderImpl(descriptor, reader, new PrimitiveConverter() {}, null);
    for (long i = 0; i < chunk.getNum_values(); i++) {
      if (column.getCurrentDefinitionLevel() < descriptor.getMaxDefinitionLevel()) {
        throw new DataException(file + ": column \"" + descriptor.getPath()[0] + "\" has no value in row " + values.size() + ".");
      }
      values.add(column.getBinary().toStringUsingUTF8());
      column.consume();
    }
  }

  /** Columns that are not inside a struct or list; those that are have a group among the root's children instead. */
  private Map<String, SchemaElement> topLevelColumns() {
    Map<String, SchemaElement> columns = new LinkedHashMap<>();
    List<SchemaElement> schema = footer.getSchema();
    for (int i = 1; i < schema.size(); i = endOfSubtree(schema, i)) {
      if (schema.get(i).getNum_children() == 0) {
        columns.put(schema.get(i).getName(), schema.get(i));
      }
    }
    return columns;
  }

  /** The schema is a tree in depth-first order: the index after element i and everything below it. */
  private static int endOfSubtree(List<SchemaElement> schema, int i) {
    long open = 1;
    for (; open > 0 && i < schema.size(); i++) {
      open += Math.max(0, schema.get(i).getNum_children()) - 1;
    }
    return i;
  }

  private static ColumnMetaData chunk(RowGroup group, String name) throws IOException {
    for (ColumnChunk chunk : group.getColumns()) {
      if (chunk.isSetMeta_data() && chunk.getMeta_data().getPath_in_schema().equals(List.of(name))) {
        return chunk.getMeta_data();
      }
    }
    throw new IOException("a row group lacks the column");
  }

  private byte[] bytes(long position, long length) throws IOException {
    if (position < 0 || length < 0 || length > Integer.MAX_VALUE - 8 || position > channel.size() - length) {
      throw new IOException("it points to " + length + " bytes at " + position + " of a file of " + channel.size());
    }
    ByteBuffer buffer = ByteBuffer.allocate((int) length);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer, position + buffer.position()) < 0) {
        throw new EOFException("the file became shorter while it was read");
      }
    }
    return buffer.array();
  }
}
