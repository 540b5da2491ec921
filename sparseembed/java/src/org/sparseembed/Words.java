package org.sparseembed;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.LowerCaseFilter;
import org.apache.lucene.analysis.StopFilter;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.core.KeywordTokenizer;
import org.apache.lucene.analysis.core.WhitespaceAnalyzer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.en.EnglishPossessiveFilter;
import org.apache.lucene.analysis.en.PorterStemFilter;
import org.apache.lucene.analysis.standard.StandardTokenizer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.analysis.tokenattributes.OffsetAttribute;

/** Takes texts apart, many in one call. */
public final class Words {
  private static final Analyzer ENGLISH = anserini();
  private static final ConcurrentHashMap<String, Analyzer> NAMED = new ConcurrentHashMap<>();
  private static final Analyzer SURFACES = new Surfaces();
  private static final Analyzer ONE_TOKEN = new OneToken();

  private Words() {}

  /** Gives Anserini's analyzer of a language, `en` included; or Lucene's `whitespace` or `standard` one. */
  static Analyzer named(String name) {
    return NAMED.computeIfAbsent(name, Words::made);
  }

  private static Analyzer made(String name) {
    return switch (name) {
      case "en" -> ENGLISH;
      case "whitespace" -> new WhitespaceAnalyzer();
      case "standard" -> SURFACES;
      default -> anserini(name);
    };
  }

  /**
   * Gives the tokens of each text by a named analyzer: how many, then the term of each and the part of the text that it
   * was made of, all packed as strings.
   */
  public static byte[] tokens(String name, byte[] packed) throws IOException {
    Analyzer analyzer = named(name);
    Strings texts = new Strings(packed);
    List<byte[]> answer = new ArrayList<>();
    for (int place = 0; place < texts.size(); place++) {
      String text = texts.get(place);
      int head = answer.size();
      answer.add(null);
      try (TokenStream stream = analyzer.tokenStream(null, text)) {
        CharTermAttribute term = stream.addAttribute(CharTermAttribute.class);
        OffsetAttribute offset = stream.addAttribute(OffsetAttribute.class);
        stream.reset();
        while (stream.incrementToken()) {
          answer.add(utf8(term.toString()));
          int end = Math.min(offset.endOffset(), text.length());
          answer.add(utf8(text.substring(Math.min(offset.startOffset(), end), end)));
        }
        stream.end();
      }
      answer.set(head, utf8(Integer.toString((answer.size() - head - 1) / 2)));
    }
    return Strings.pack(answer);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** Gives the terms of each text: separated by line feeds, texts by NUL; neither is ever part of a term. */
  public static byte[] terms(byte[] texts) throws IOException {
    return each(ENGLISH, new Strings(texts));
  }

  /** Gives the tokens of each text as they stand there, packed as `terms` does. */
  public static byte[] surfaces(byte[] texts) throws IOException {
    return each(SURFACES, new Strings(texts));
  }

  /** Gives the term of each token, packed as `terms` does; none for a stop word. */
  public static byte[] termsOf(byte[] surfaces) throws IOException {
    return each(ONE_TOKEN, new Strings(surfaces));
  }

  /** Gives the terms of a text. */
  static List<String> of(Analyzer analyzer, String text) throws IOException {
    List<String> terms = new ArrayList<>();
    try (TokenStream stream = analyzer.tokenStream(null, text)) {
      CharTermAttribute term = stream.addAttribute(CharTermAttribute.class);
      stream.reset();
      while (stream.incrementToken()) {
        if (term.length() > 0) { // Anserini passes over the others
          terms.add(term.toString());
        }
      }
      stream.end();
    }
    return terms;
  }

  private static byte[] each(Analyzer analyzer, Strings texts) throws IOException {
    StringBuilder answer = new StringBuilder();
    for (int place = 0; place < texts.size(); place++) {
      if (place > 0) {
        answer.append('\0');
      }
      try (TokenStream stream = analyzer.tokenStream(null, texts.get(place))) {
        CharTermAttribute term = stream.addAttribute(CharTermAttribute.class);
        stream.reset();
        boolean first = true;
        while (stream.incrementToken()) {
          if (!first) {
            answer.append('\n');
          }
          first = false;
          answer.append(term);
        }
        stream.end();
      }
    }
    return answer.toString().getBytes(StandardCharsets.UTF_8);
  }

  /** Anserini is built for a newer Java than this class, so that the compiler cannot read its classes. */
  private static Analyzer anserini() {
    try {
      Class<?> found = Class.forName("io.anserini.analysis.DefaultEnglishAnalyzer");
      return (Analyzer) found.getMethod("newDefaultInstance").invoke(null);
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException("Anserini's English analyzer is missing", error);
    }
  }

  private static Analyzer anserini(String language) {
    try {
      Class<?> known = Class.forName("io.anserini.analysis.AnalyzerMap");
      Object found = known.getMethod("getLanguageSpecificAnalyzer", String.class).invoke(null, language);
      if (found == null) {
        throw new IllegalStateException("Anserini has no analyzer for " + language);
      }
      return (Analyzer) found;
    } catch (ReflectiveOperationException error) {
      throw new IllegalStateException("Anserini's analyzers are missing", error);
    }
  }

  /** Tokens as they stand in the text. */
  static final class Surfaces extends Analyzer {
    @Override
    protected TokenStreamComponents createComponents(String field) {
      return new TokenStreamComponents(new StandardTokenizer());
    }
  }

  /** What Anserini's analyzer does to each token, the text being one. */
  static final class OneToken extends Analyzer {
    @Override
    protected TokenStreamComponents createComponents(String field) {
      Tokenizer source = new KeywordTokenizer();
      TokenStream lowered = new LowerCaseFilter(new EnglishPossessiveFilter(source));
      TokenStream kept = new StopFilter(lowered, EnglishAnalyzer.ENGLISH_STOP_WORDS_SET);
      return new TokenStreamComponents(source, new PorterStemFilter(kept));
    }
  }
}
