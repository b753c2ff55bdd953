// tiny 1.0: a picture in, the stylized picture out. Needs iOS 16, macOS 13.
//
// 1. Drag artifacts/coreml-fp16-24x32.mlpackage into the Xcode project, which compiles it
//    to coreml-fp16-24x32.mlmodelc.
// 2. Away from the main thread:
//        let filter = try TinyFilter()
//        let stylized = try filter.stylize(image)       // CGImage, or a CVPixelBuffer from the camera
//    The first start is slow, because the device prepares the model: keep the filter while the camera runs.

import CoreGraphics
import CoreImage
import CoreML
import CoreVideo
import Foundation

enum TinyFilterError: Error {
    case modelIsNotInTheApp(String)
    case noPixelBuffer(CVReturn)
    case noPicture
}

final class TinyFilter {
    static let width = 32
    static let height = 24

    private let model: MLModel
    private let context = CIContext()
    private let colors = CGColorSpace(name: CGColorSpace.sRGB)!

    init(computeUnits: MLComputeUnits = .all, in bundle: Bundle = .main) throws {
        guard let url = bundle.url(forResource: "coreml-fp16-24x32", withExtension: "mlmodelc") else {
            throw TinyFilterError.modelIsNotInTheApp("coreml-fp16-24x32.mlmodelc")
        }
        let configuration = MLModelConfiguration()
        configuration.computeUnits = computeUnits
        model = try MLModel(contentsOf: url, configuration: configuration)
    }

    /// The stylized picture, of the same size as `image`.
    func stylize(_ image: CGImage) throws -> CGImage {
        let buffer = try stylize(CIImage(cgImage: image))
        let stylized = stretch(picture(in: buffer), toWidth: image.width, height: image.height)
        let bounds = CGRect(x: 0, y: 0, width: image.width, height: image.height)
        guard let result = context.createCGImage(stylized, from: bounds, format: .RGBA8, colorSpace: colors) else {
            throw TinyFilterError.noPicture
        }
        return result
    }

    /// The stylized frame: 32BGRA, `width` x `height`, whatever the size of `frame`.
    func stylize(_ frame: CVPixelBuffer) throws -> CVPixelBuffer {
        try stylize(CIImage(cvPixelBuffer: frame))
    }

    private func stylize(_ image: CIImage) throws -> CVPixelBuffer {
        let input = try emptyBuffer()
        let bounds = CGRect(x: 0, y: 0, width: Self.width, height: Self.height)
        let scaled = stretch(image, toWidth: Self.width, height: Self.height)
        context.render(scaled, to: input, bounds: bounds, colorSpace: colors)
        let features = try MLDictionaryFeatureProvider(dictionary: ["image": MLFeatureValue(pixelBuffer: input)])
        let result = try model.prediction(from: features)
        guard let output = result.featureValue(for: "stylized")?.imageBufferValue else {
            throw TinyFilterError.noPicture
        }
        return output
    }

    private func picture(in buffer: CVPixelBuffer) -> CIImage {
        CIImage(cvPixelBuffer: buffer, options: [.colorSpace: colors])
    }

    private func stretch(_ image: CIImage, toWidth width: Int, height: Int) -> CIImage {
        let x = CGFloat(width) / image.extent.width
        let y = CGFloat(height) / image.extent.height
        // Clamped, so that the edge is not blended with the emptiness around the picture.
        return image.clampedToExtent()
            .transformed(by: CGAffineTransform(translationX: -image.extent.minX, y: -image.extent.minY))
            .transformed(by: CGAffineTransform(scaleX: x, y: y))
    }

    private func emptyBuffer() throws -> CVPixelBuffer {
        var buffer: CVPixelBuffer?
        let shared = [kCVPixelBufferIOSurfacePropertiesKey: [:] as CFDictionary] as CFDictionary
        let code = CVPixelBufferCreate(
            kCFAllocatorDefault, Self.width, Self.height, kCVPixelFormatType_32BGRA, shared, &buffer)
        guard let buffer else { throw TinyFilterError.noPixelBuffer(code) }
        return buffer
    }
}
