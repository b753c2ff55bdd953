// tiny 1.0: a Bitmap in, the stylized Bitmap out.
//
// 1. Copy artifacts/tflite-fp16-24x32.tflite into app/src/main/assets/
// 2. In app/build.gradle.kts:
//        android { androidResources { noCompress += "tflite" } }
//        dependencies { implementation("com.google.ai.edge.litert:litert:1.4.2") }
// 3. Away from the main thread:
//        TinyFilter(context).use { filter -> val stylized = filter(bitmap) }
//    Opening takes longer than a frame: keep the filter while the camera runs. One thread at a time may use it.

import android.content.Context
import android.graphics.Bitmap
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.MappedByteBuffer
import java.nio.channels.FileChannel
import kotlin.math.roundToInt
import org.tensorflow.lite.Interpreter

class TinyFilter(context: Context, threads: Int = 4) : AutoCloseable {
    private val interpreter = Interpreter(model(context), Interpreter.Options().setNumThreads(threads))
    private val pixels = IntArray(HEIGHT * WIDTH)
    private val values = FloatArray(HEIGHT * WIDTH * 3)
    private val input = room()
    private val output = room()

    /** The stylized picture, of the same size as [bitmap] and opaque. */
    operator fun invoke(bitmap: Bitmap): Bitmap {
        // A copy, because the pixels of a hardware bitmap cannot be read.
        val readable = bitmap.copy(Bitmap.Config.ARGB_8888, false)
        Bitmap.createScaledBitmap(readable, WIDTH, HEIGHT, true).getPixels(pixels, 0, WIDTH, 0, 0, WIDTH, HEIGHT)
        for (i in pixels.indices) {
            values[3 * i] = ((pixels[i] shr 16) and 0xFF).toFloat()
            values[3 * i + 1] = ((pixels[i] shr 8) and 0xFF).toFloat()
            values[3 * i + 2] = (pixels[i] and 0xFF).toFloat()
        }
        input.rewind()
        input.asFloatBuffer().put(values)
        output.rewind()
        interpreter.run(input, output)
        output.rewind()
        output.asFloatBuffer().get(values)
        for (i in pixels.indices) {
            val red = byte(values[3 * i])
            val green = byte(values[3 * i + 1])
            pixels[i] = OPAQUE or (red shl 16) or (green shl 8) or byte(values[3 * i + 2])
        }
        val stylized = Bitmap.createBitmap(pixels, WIDTH, HEIGHT, Bitmap.Config.ARGB_8888)
        return Bitmap.createScaledBitmap(stylized, bitmap.width, bitmap.height, true)
    }

    override fun close() = interpreter.close()

    private companion object {
        const val FILE = "tflite-fp16-24x32.tflite"
        const val HEIGHT = 24
        const val WIDTH = 32
        const val OPAQUE = 0xFF shl 24

        /** One picture: float32, [HEIGHT, WIDTH, 3], RGB, 0..255. */
        fun room(): ByteBuffer = ByteBuffer.allocateDirect(HEIGHT * WIDTH * 3 * 4).order(ByteOrder.nativeOrder())

        fun byte(value: Float): Int = value.coerceIn(0f, 255f).roundToInt()

        fun model(context: Context): MappedByteBuffer =
            context.assets.openFd(FILE).use { asset ->
                FileInputStream(asset.fileDescriptor).use { stream ->
                    stream.channel.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
                }
            }
    }
}
